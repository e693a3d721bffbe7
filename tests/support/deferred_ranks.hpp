// SPDX-License-Identifier: Apache-2.0
// Ranks that share a device which does nothing until somebody waits, and then as little as it can: what the execution
// of deferred_gpu.hpp is to one rank, over the communicators of virtual ranks.
#pragma once

#include <heddle/host/thread_world.hpp>
#include <stdexcept>
#include <vector>

#include "deferred_gpu.hpp"
#include "deferred_mover.hpp"

namespace support {

/// The part of the device that a rank has: memory and a stream. It goes when its own work and what peers do with it are
/// done, which its last `wait` sees to.
template <class Groups, class Numbers>
class stream_gpu {
 public:
  stream_gpu(deferred::queue on, Groups& groups, Numbers& numbers, std::size_t bytes = std::size_t{1} << 20)
      : on_{std::move(on)}, groups_{&groups}, numbers_{&numbers}, memory_(bytes / sizeof(line)) {}
  stream_gpu(stream_gpu const&) = delete;
  stream_gpu& operator=(stream_gpu const&) = delete;

  template <class T>
  [[nodiscard]] T* allocate(index_t count) {
    std::size_t const size = static_cast<std::size_t>(count) * sizeof(T);
    std::byte* const place = begin() + used_;
    used_ += (size + sizeof(line) - 1) / sizeof(line) * sizeof(line);
    if (used_ > memory_.size() * sizeof(line)) throw std::runtime_error{"the device of a test is too small"};
    if (size > 0) put([place, size] { std::memset(place, 0x7f, size); });
    return reinterpret_cast<T*>(place);
  }
  [[nodiscard]] std::size_t used() const { return used_; }
  void free_behind(std::size_t used) { used_ = used; }
  [[nodiscard]] bool owns(void const* data) const {
    return data >= memory_.data() && data < memory_.data() + memory_.size();
  }
  template <class Work>
  void put(Work work) {
    on_.of->add(on_.rank, std::move(work));
  }
  void wait() {
    ++waits_;
    on_.wait();
  }
  [[nodiscard]] int waits() const { return waits_; }

  template <class T>
  [[nodiscard]] T* write(std::vector<T> const& values) {
    T* const there = allocate<T>(static_cast<index_t>(values.size()));
    put([there, values] { std::copy(values.begin(), values.end(), there); });
    return there;
  }
  template <class View>
  [[nodiscard]] auto read(View const& view) {
    std::vector<std::remove_cvref_t<decltype(*view.data())>> values(static_cast<std::size_t>(view.count()));
    put([data = view.data(), &values] { std::copy(data, data + values.size(), values.begin()); });
    on_.wait();
    return values;
  }

  /// What an execution makes of it.
  class both {
   public:
    explicit both(stream_gpu& gpu) : gpu_{&gpu} {}
    template <class Group>
    [[nodiscard]] auto& communicator() {
      return gpu_->groups_->template get<Group>();
    }
    template <class Group>
    [[nodiscard]] auto& numbers() {
      return gpu_->numbers_->template get<Group>();
    }

   private:
    stream_gpu* gpu_;
  };

 private:
  struct line {
    alignas(256) std::byte of[256];
  };
  [[nodiscard]] std::byte* begin() { return memory_.data()->of; }

  deferred::queue on_;
  Groups* groups_;
  Numbers* numbers_;
  std::vector<line> memory_;
  std::size_t used_ = 0;
  int waits_ = 0;
};

template <class Gpu>
using execution_on = deferred_execution<false, Gpu, typename Gpu::both>;

}  // namespace support
