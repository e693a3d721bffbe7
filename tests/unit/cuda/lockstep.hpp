// SPDX-License-Identifier: Apache-2.0
// A block of threads on the host, for kernels that are written for a `Block`: every thread is a context with a stack of
// its own, which runs until it meets the others. Instructions of a warp do what the PTX ISA says of them, lane by lane.
#pragma once

#include <ucontext.h>

#include <bit>
#include <cstring>
#include <heddle/cuda/gemm_multiply.hpp>
#include <heddle/kernel/team.hpp>
#include <memory>
#include <stdexcept>
#include <vector>

namespace lockstep {

using heddle::index_t;

/// How the threads of a block run, and when a copy arrives: a kernel must not depend on either.
struct manner {
  bool last_first = false;   ///< the highest thread that can go on does, instead of the lowest
  bool copies_late = false;  ///< copies arrive when they are waited for, instead of at once
};

/// What is shared by the threads of a block.
class world {
 public:
  world(int threads, index_t shared_bytes, index_t number, index_t blocks, manner how)
      : threads_{threads},
        number_{number},
        blocks_{blocks},
        how_{how},
        room_(sized(shared_bytes) + 128, std::byte{0xff}) {
    void* at = room_.data();
    std::size_t space = room_.size();
    shared_ = static_cast<std::byte*>(std::align(128, sized(shared_bytes), at, space));
  }

  template <class Kernel>
  void run(Kernel const& kernel);

 private:
  friend class block;
  using copies = std::vector<std::vector<std::pair<std::byte*, void const*>>>;  ///< by batch
  static constexpr std::size_t stack_bytes = std::size_t{1} << 16;
  struct context {
    ucontext_t place{};
    std::unique_ptr<char[]> stack{new char[stack_bytes]};
    void* argument = nullptr;
    unsigned const* waits_for = nullptr;  ///< a meeting, until it is not `seen` any more
    unsigned seen = 0;
    bool over = false;
    copies batches{1};
  };
  struct meeting {
    int here = 0;
    unsigned held = 0;
  };

  /// Of its own, since what calls `getcontext` may return twice.
  static void prepare(context& of, void (*go)(), std::uintptr_t argument) {
    getcontext(&of.place);
    of.place.uc_stack.ss_sp = of.stack.get();
    of.place.uc_stack.ss_size = stack_bytes;
    makecontext(&of.place, go, 2, static_cast<unsigned>(argument), static_cast<unsigned>(argument >> 32));
  }
  static std::size_t sized(index_t n) { return static_cast<std::size_t>(n); }
  context& at(int thread) { return contexts_[sized(thread)]; }

  /// Waits for the `count` threads from `first` on; the last of them does `act` for all.
  template <class Act>
  void meet(int thread, meeting& where, int count, void* argument, Act act) {
    context& self = at(thread);
    self.argument = argument;
    unsigned const seen = where.held;
    if (++where.here == count) {
      act();
      where.here = 0;
      ++where.held;
      return;
    }
    self.waits_for = &where.held;
    self.seen = seen;
    swapcontext(&self.place, &scheduler_);
    self.waits_for = nullptr;
  }

  int threads_;
  index_t number_, blocks_;
  manner how_;
  std::vector<std::byte> room_;
  std::byte* shared_ = nullptr;
  std::vector<context> contexts_ = std::vector<context>(sized(threads_));
  std::vector<meeting> warps_ = std::vector<meeting>(sized((threads_ + 31) / 32));
  meeting all_;
  ucontext_t scheduler_{};
};

/// One thread of it: a `Block`.
class block {
 public:
  block(world& in, int thread) : in_{&in}, thread_{thread} {}

  [[nodiscard]] int thread() const { return thread_; }
  [[nodiscard]] index_t number() const { return in_->number_; }
  [[nodiscard]] index_t blocks() const { return in_->blocks_; }
  [[nodiscard]] std::byte* shared() const { return in_->shared_; }

  void sync() const {
    in_->meet(thread_, in_->all_, in_->threads_, nullptr, [] {});
  }
  void sync_warp() const {
    with_warp(nullptr, [](auto) {});
  }
  [[nodiscard]] index_t scan(index_t value) const {
    index_t pair[2] = {value, 0};
    with_warp(pair, [](auto argument) {
      index_t sum = 0;
      for (int lane = 0; lane < 32; ++lane) {
        auto* const of = static_cast<index_t*>(argument(lane));
        of[1] = sum += of[0];
      }
    });
    return pair[1];
  }
  [[nodiscard]] index_t last(index_t value) const {
    with_warp(&value, [](auto argument) {
      for (int lane = 0; lane < 31; ++lane)
        *static_cast<index_t*>(argument(lane)) = *static_cast<index_t*>(argument(31));
    });
    return value;
  }

  /// What the lane of the warp whose number differs in this bit holds.
  template <class Value>
  [[nodiscard]] Value exchange(Value value, int distance) const {
    Value pair[2] = {value, value};
    with_warp(pair, [&](auto argument) {
      for (int lane = 0; lane < warp_lanes(); ++lane)
        static_cast<Value*>(argument(lane))[1] = static_cast<Value*>(argument(lane ^ distance))[0];
    });
    return pair[1];
  }
  /// The largest value of the warp.
  template <class Value>
  [[nodiscard]] Value max(Value value) const {
    with_warp(&value, [&](auto argument) {
      Value best = *static_cast<Value*>(argument(0));
      for (int lane = 1; lane < warp_lanes(); ++lane) {
        Value const next = *static_cast<Value*>(argument(lane));
        best = next > best ? next : best;
      }
      for (int lane = 0; lane < warp_lanes(); ++lane) *static_cast<Value*>(argument(lane)) = best;
    });
    return value;
  }
  /// The lanes of the warp, as bits, that give the same value.
  [[nodiscard]] std::uint32_t match(std::int32_t value) const {
    struct answer {
      std::int32_t value;
      std::uint32_t lanes;
    } mine{value, 0};
    with_warp(&mine, [&](auto argument) {
      auto const of = [&](int lane) { return static_cast<answer*>(argument(lane)); };
      for (int lane = 0; lane < warp_lanes(); ++lane)
        for (int other = 0; other < warp_lanes(); ++other)
          of(lane)->lanes |= of(lane)->value == of(other)->value ? std::uint32_t{1} << other : 0;
    });
    return mine.lanes;
  }
  [[nodiscard]] static int bits(std::uint32_t lanes) { return std::popcount(lanes); }
  template <class Value>
  void add(Value* at, Value value) const {
    *at += value;
  }

  void copy_async(std::byte* to, void const* from) const {
    if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
      throw std::logic_error("a chunk is not aligned");
    if (in_->how_.copies_late) batches().back().emplace_back(to, from);
    else std::memcpy(to, from, 16);
  }
  void commit() const { batches().emplace_back(); }
  template <int Latest>
  void wait() const {
    // The batch at the back is open; of those that are closed, the `Latest` newest may still be under way.
    while (batches().size() > std::size_t{Latest} + 1) {
      for (auto const& [to, from] : batches().front()) std::memcpy(to, from, 16);
      batches().erase(batches().begin());
    }
  }
  void store_chunk(std::byte* to, heddle::cuda::chunk_value const& value) const { std::memcpy(to, &value, 16); }

  /// ldmatrix.sync.aligned.m8n8.x4[.trans].shared.b16.
  template <bool Turned>
  void load_matrices(std::uint32_t (&out)[4], std::byte const* line) const {
    struct order {
      std::uint32_t* out;
      std::byte const* line;
    } mine{out, line};
    with_warp(&mine, [](auto argument) {
      for (int lane = 0; lane < 32; ++lane) {
        for (int matrix = 0; matrix < 4; ++matrix) {
          auto const half = [&](int row, int column) {
            std::uint16_t value = 0;
            std::memcpy(&value, static_cast<order*>(argument(matrix * 8 + row))->line + 2 * column, 2);
            return std::uint32_t{value};
          };
          int const a = lane / 4, b = 2 * (lane % 4);
          std::uint32_t const low = Turned ? half(b, a) : half(a, b);
          std::uint32_t const high = Turned ? half(b + 1, a) : half(a, b + 1);
          static_cast<order*>(argument(lane))->out[matrix] = low | high << 16;
        }
      }
    });
  }

  /// mma.sync.aligned.m16n8k16.row.col.f32.T.T.f32.
  template <class T>
  void multiply_add(T, float (&sums)[4], std::uint32_t const (&left)[4], std::uint32_t first,
                    std::uint32_t second) const {
    struct operands {
      float* sums;
      std::uint32_t const* left;
      std::uint32_t right[2];
    } mine{sums, left, {first, second}};
    with_warp(&mine, [](auto argument) {
      auto const half = [](std::uint32_t const* words, int number) {
        T value;
        value.bits = static_cast<std::uint16_t>(words[number / 2] >> (number % 2 * 16));
        return static_cast<float>(value);
      };
      float a[16][16], b[16][8];
      for (int lane = 0; lane < 32; ++lane) {
        auto const& of = *static_cast<operands*>(argument(lane));
        int const group = lane / 4, in_group = lane % 4;
        for (int i = 0; i < 8; ++i) {
          int const row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
          int const column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
          a[row][column] = half(of.left, i);
        }
        for (int i = 0; i < 4; ++i) b[in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0)][group] = half(of.right, i);
      }
      for (int lane = 0; lane < 32; ++lane) {
        auto const& of = *static_cast<operands*>(argument(lane));
        for (int i = 0; i < 4; ++i) {
          int const row = i < 2 ? lane / 4 : lane / 4 + 8, column = lane % 4 * 2 + (i & 1);
          for (int k = 0; k < 16; ++k) of.sums[i] += a[row][k] * b[k][column];
        }
      }
    });
  }

 private:
  world::copies& batches() const { return in_->at(thread_).batches; }
  /// A block of fewer threads than a warp is a warp of as many lanes.
  [[nodiscard]] int warp_lanes() const { return in_->threads_ < 32 ? in_->threads_ : 32; }
  template <class Act>
  void with_warp(void* argument, Act act) const {
    int const first = thread_ / 32 * 32;
    in_->meet(thread_, in_->warps_[world::sized(thread_ / 32)], warp_lanes(), argument,
              [&] { act([&](int lane) { return in_->at(first + lane).argument; }); });
  }

  world* in_;
  int thread_;
};

template <class Kernel>
void world::run(Kernel const& kernel) {
  struct task {
    world* in;
    Kernel const* kernel;
    int thread;
    static void go(unsigned low, unsigned high) {
      auto const& self = *reinterpret_cast<task*>(static_cast<std::uintptr_t>(high) << 32 | low);
      (*self.kernel)(block{*self.in, self.thread});
      self.in->at(self.thread).over = true;
      setcontext(&self.in->scheduler_);
    }
  };
  std::vector<task> tasks;
  for (int thread = 0; thread < threads_; ++thread) tasks.push_back({this, &kernel, thread});
  for (int thread = 0; thread < threads_; ++thread) {
    prepare(at(thread), reinterpret_cast<void (*)()>(&task::go),
            reinterpret_cast<std::uintptr_t>(&tasks[sized(thread)]));
  }
  for (;;) {
    int chosen = -1;
    bool over = true;
    for (int i = 0; i < threads_ && chosen < 0; ++i) {
      int const thread = how_.last_first ? threads_ - 1 - i : i;
      context const& of = at(thread);
      over = over && of.over;
      if (!of.over && (of.waits_for == nullptr || *of.waits_for != of.seen)) chosen = thread;
    }
    if (chosen < 0) {
      if (!over) throw std::logic_error("the threads of a block wait for each other");
      return;
    }
    swapcontext(&scheduler_, &at(chosen).place);
  }
}

/// The kernel on as many blocks, one after the other.
template <class Kernel>
void run(Kernel const& kernel, int threads, index_t shared_bytes, index_t blocks, manner how) {
  for (index_t number = 0; number < blocks; ++number) world(threads, shared_bytes, number, blocks, how).run(kernel);
}

}  // namespace lockstep
