// SPDX-License-Identifier: Apache-2.0
// What the benches of a GPU share, without a library: times by events with a cold L2, what the same GPU copies a second
// in the same run, rows of JSON, and an exit code that says whether what was timed was right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <heddle/core/dtype.hpp>
#include <heddle/cuda/device.hpp>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/queue.hpp>
#include <heddle/tensor/view.hpp>
#include <string>
#include <vector>

namespace gpu_bench {

namespace hd = heddle;
using hd::index_t;
using gpu = hd::device_memory;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// Numbers on the GPU; those that are not given are all ones in their bytes, so what is not written shows.
template <class T>
class array {
 public:
  explicit array(index_t count) : count_{count}, memory_{at(count) * sizeof(T)} {
    if (count > 0) hd::cuda::check(cudaMemset(memory_.data(), 0xff, memory_.bytes()), "cudaMemset");
    hd::cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");  // other streams do not wait for it
  }
  explicit array(std::vector<T> const& values)
      : count_{static_cast<index_t>(values.size())}, memory_{values.size() * sizeof(T)} {
    if (count_ > 0)
      hd::cuda::check(cudaMemcpy(memory_.data(), values.data(), memory_.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    hd::cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");  // other streams do not wait for it
  }
  [[nodiscard]] T* data() const { return static_cast<T*>(memory_.data()); }
  [[nodiscard]] index_t count() const { return count_; }
  [[nodiscard]] std::vector<T> get() const {
    std::vector<T> values(at(count_));
    hd::cuda::check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    if (count_ > 0)
      hd::cuda::check(cudaMemcpy(values.data(), memory_.data(), memory_.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  index_t count_;
  hd::cuda::device_buffer memory_;
};

/// A number from -1 to 1 that follows from its place alone. Half a billion weights are drawn for one bench: it is
/// cheap.
inline float drawn(std::uint64_t i, std::uint64_t stream) {
  std::uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15U + stream * 0xd1342543de82ef95U;
  mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93U;
  return static_cast<float>(static_cast<std::int32_t>((mixed ^ (mixed >> 29)) >> 32)) * 0x1p-31F;
}

/// Numbers from -scale to scale, the same in every run.
template <class T>
std::vector<T> numbers(index_t count, std::uint64_t stream, float scale = 1) {
  std::vector<T> values(at(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(scale * drawn(i, stream));
  return values;
}

/// One line of a result. The floor is what the same GPU needs at least, by rates that were measured in the same run.
struct result {
  std::string name, shape;
  double ms = 0, floor_ms = 0;
  double bytes = 0, flops = 0;  ///< that the work moves and does at least; 0: not counted
  std::string beside{};         ///< the time of another that does the same, in words
  bool right = true;
};

class bench {
 public:
  bench() : gpu_{0} {
    gpu_.use();
    hd::cuda::check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    hd::cuda::check(cudaEventCreate(&begin_), "cudaEventCreate");
    hd::cuda::check(cudaEventCreate(&end_), "cudaEventCreate");
    int cache = 0;
    hd::cuda::check(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, gpu_.number()), "cudaDeviceGetAttribute");
    flush_ = hd::cuda::device_buffer{at(2 * std::max(cache, 1 << 24))};
    measure_copy();
  }
  bench(bench const&) = delete;
  bench& operator=(bench const&) = delete;
  ~bench() {
    static_cast<void>(cudaEventDestroy(begin_));
    static_cast<void>(cudaEventDestroy(end_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  [[nodiscard]] hd::cuda::queue queue() const {
    return {.stream = stream_, .processors = gpu_.processors(), .rank = 0};
  }
  /// Bytes a second, read and written, of a copy on this GPU.
  [[nodiscard]] double copy_rate() const { return copy_rate_; }

  /// The median of some runs of `work`, in milliseconds of the GPU. Before each the L2 is filled with something else;
  /// the host puts all of a run into the queue while that goes on, so launches are not what is timed.
  template <class Work>
  double milliseconds(Work const& work) {
    constexpr int warm_up = 3, rounds = 11;
    std::vector<double> times;
    for (int round = 0; round < warm_up + rounds; ++round) {
      for (int i = 0; i < 4; ++i)
        hd::cuda::check(cudaMemsetAsync(flush_.data(), round, flush_.bytes(), stream_), "cudaMemsetAsync");
      hd::cuda::check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
      work();
      hd::cuda::check(cudaEventRecord(end_, stream_), "cudaEventRecord");
      hd::cuda::check(cudaEventSynchronize(end_), "cudaEventSynchronize");
      float ms = 0;
      hd::cuda::check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
      if (round >= warm_up) times.push_back(static_cast<double>(ms));
    }
    std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
    return times[rounds / 2];
  }

  /// Prints a line of JSON and remembers whether it was right. Without a floor of its own it is that of the bytes.
  void report(result is) {
    if (is.floor_ms == 0) is.floor_ms = is.bytes / copy_rate_ * 1e3;
    std::printf("{\"case\":\"%s\",\"shape\":\"%s\",\"ms\":%.4f,\"floor_ms\":%.4f,\"of_floor\":%.3f", is.name.c_str(),
                is.shape.c_str(), is.ms, is.floor_ms, is.floor_ms / is.ms);
    if (is.bytes > 0) std::printf(",\"gb_per_s\":%.1f", is.bytes / is.ms * 1e-6);
    if (is.flops > 0) std::printf(",\"tflop_per_s\":%.2f", is.flops / is.ms * 1e-9);
    std::printf(",\"copy_gb_per_s\":%.1f,\"beside\":\"%s\",\"right\":%d}\n", copy_rate_ * 1e-9, is.beside.c_str(),
                is.right ? 1 : 0);
    ++reported_;
    if (!is.right) ++wrong_;
  }
  [[nodiscard]] int exit_code() const {
    if (wrong_ > 0) std::printf("WRONG: %d of %d results\n", wrong_, reported_);
    return wrong_ > 0 || reported_ == 0 ? 1 : 0;
  }

 private:
  void measure_copy() {
    hd::cuda::device_buffer const from{std::size_t{1} << 29}, to{std::size_t{1} << 29};
    double const ms = milliseconds([&] { queue().copy(to.data(), from.data(), from.bytes()); });
    copy_rate_ = 2 * static_cast<double>(from.bytes()) / ms * 1e3;
  }

  hd::cuda::device gpu_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  hd::cuda::device_buffer flush_;
  double copy_rate_ = 0;
  int reported_ = 0, wrong_ = 0;
};

/// The main of a bench: its exit code is 77 with the reason where there is no GPU, and 1 where a result was wrong.
template <class Body>
int run(Body const& body) {
  constexpr int skipped = 77;
  try {
    bench with;
    body(with);
    return with.exit_code();
  } catch (hd::error const& problem) {
    bool const none = problem.kind() == hd::error_kind::unsupported;
    std::printf("%s: %s\n", none ? "skipped" : "failed", problem.what());
    return none ? skipped : 1;
  }
}

/// How far two results are apart, relative, in the L2 norm.
template <class A, class B>
double apart(std::vector<A> const& got, std::vector<B> const& expected) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double const is = static_cast<double>(static_cast<float>(got[i])),
                 due = static_cast<double>(static_cast<float>(expected[i]));
    off += (is - due) * (is - due);
    size += due * due;
  }
  return got.size() != expected.size() ? 1e30 : size == 0 ? off : std::sqrt(off / size);
}
inline std::string figure(char const* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Experts that tokens choose, drawn with some more wanted than others: [T, K], each token's different.
inline std::vector<std::int32_t> draw_choices(index_t tokens, index_t experts, index_t k) {
  std::vector<std::int32_t> ids(at(tokens * k));
  std::uint64_t number = 0;
  for (index_t t = 0; t < tokens; ++t) {
    for (index_t slot = 0; slot < k;) {
      float const u = 0.5F * (1 + drawn(number++, 99));
      auto const id = static_cast<std::int32_t>(
          std::min(experts - 1, static_cast<index_t>(u * (0.5F + 0.5F * u) * static_cast<float>(experts))));
      bool taken = false;
      for (index_t before = 0; before < slot; ++before) taken = taken || ids[at(t * k + before)] == id;
      if (!taken) ids[at(t * k + slot++)] = id;
    }
  }
  return ids;
}

/// The same pairs sorted by expert, token and slot, as the host does it.
struct sorted_pairs {
  std::vector<index_t> begins;                          ///< [E + 1]
  std::vector<std::int32_t> row_to_token, slot_to_row;  ///< [R], [T K]
};
inline sorted_pairs sort_pairs(std::vector<std::int32_t> const& ids, index_t experts, index_t k) {
  sorted_pairs made{std::vector<index_t>(at(experts + 1)), std::vector<std::int32_t>(ids.size()),
                    std::vector<std::int32_t>(ids.size())};
  for (std::int32_t const id : ids) ++made.begins[at(id + 1)];
  for (index_t e = 0; e < experts; ++e) made.begins[at(e + 1)] += made.begins[at(e)];
  std::vector<index_t> next(made.begins.begin(), made.begins.end() - 1);
  for (std::size_t pair = 0; pair < ids.size(); ++pair) {
    index_t const row = next[at(ids[pair])]++;
    made.row_to_token[at(row)] = static_cast<std::int32_t>(static_cast<index_t>(pair) / k);
    made.slot_to_row[pair] = static_cast<std::int32_t>(row);
  }
  return made;
}

}  // namespace gpu_bench
