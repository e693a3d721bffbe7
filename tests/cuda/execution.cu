// SPDX-License-Identifier: Apache-2.0
// What a GPU does that no host test shows: teams of real lanes, the order of a stream, memory, and errors of the
// driver.
#include <doctest/doctest.h>

#include <heddle/cuda/device.hpp>
#include <heddle/cuda/execution.cuh>
#include <heddle/kernel/add.hpp>
#include <heddle/kernel/loops.hpp>
#include <memory>
#include <vector>

using namespace heddle;

namespace {

using gpu = device_memory;

/// A queue, a workspace and an execution without GEMM and groups.
class bench {
 public:
  explicit bench(std::size_t bytes = std::size_t{1} << 24)
      : data_{bytes}, here_{new (std::align_val_t{256}) std::byte[host_bytes]} {
    cuda::check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    scratch_ = std::make_unique<cuda::workspace>(data_.data(), bytes, here_.get(), host_bytes, 0);
  }
  bench(bench const&) = delete;
  bench& operator=(bench const&) = delete;
  ~bench() { static_cast<void>(cudaStreamDestroy(stream_)); }

  [[nodiscard]] cuda::queue queue() const {
    return {.stream = stream_, .processors = cuda::device{}.processors(), .rank = 0};
  }
  [[nodiscard]] auto execution() { return cuda::execution<int>{nothing_, none_, none_, *scratch_, queue()}; }

  /// Data on the GPU that is all ones in its bytes where nothing else is given: what is not written shows.
  template <class T>
  T* put(std::vector<T> const& values) {
    T* const there = execution().template allocate<T>(static_cast<index_t>(values.size()));
    if (!values.empty()) {  // not by the default stream, for which this one does not wait
      cuda::check(cudaMemcpyAsync(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, stream_),
                  "cudaMemcpyAsync");
      wait();
    }
    return there;
  }
  template <class T>
  T* poisoned(index_t count) {
    T* const there = execution().template allocate<T>(count);
    queue().fill(there, 0xff, static_cast<std::size_t>(count) * sizeof(T));
    return there;
  }
  template <class T>
  std::vector<T> get(T const* there, index_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    wait();
    if (count > 0)
      cuda::check(cudaMemcpy(values.data(), there, values.size() * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }
  void wait() { cuda::check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  static constexpr std::size_t host_bytes = 1 << 16;
  struct release {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{256}); }
  };
  cuda::device_buffer data_;
  std::unique_ptr<std::byte[], release> here_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<cuda::workspace> scratch_;
  int nothing_ = 0;
  cuda::no_groups none_;
};

std::vector<float> numbers(index_t count) {
  std::vector<float> values;
  std::uint32_t state = 99;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values.push_back(static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F);
  }
  return values;
}

/// What every lane of a row's team gets for the sum and the maximum of the row.
struct ask_lanes {
  float const* x;
  index_t width;
  float* sums;
  float* most;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    float const* const own = x + row * width;
    index_t const at = row * team.size() + team.rank();
    sums[at] = kernel::sum_row<float>(team, width, [own](index_t i) { return own[i]; });
    most[at] = kernel::max_row(team, width, -2.0F, [own](index_t i) { return own[i]; });
  }
};

/// The sum in the order that a team of so many lanes has.
float sum_in_order(float const* x, index_t width, index_t lanes) {
  std::vector<float> parts(static_cast<std::size_t>(lanes));
  for (index_t i = 0; i < width; ++i) parts[static_cast<std::size_t>(i % lanes)] += x[i];
  // Lanes of a warp meet first, the highest bit first; then the warps, as lanes do.
  auto const meet = [](std::vector<float> values) {
    for (std::size_t half = values.size() / 2; half > 0; half /= 2)
      for (std::size_t lane = 0; lane < half; ++lane) values[lane] += values[lane + half];
    return values[0];
  };
  if (lanes <= 32) return meet(parts);
  std::vector<float> of_warps;
  for (auto begin = parts.begin(); begin != parts.end(); begin += 32) of_warps.push_back(meet({begin, begin + 32}));
  return meet(of_warps);
}

template <class Team>
void check_team(index_t lanes) {
  for (index_t width : {0, 1, 31, 33, 257, 1000}) {
    constexpr index_t height = 37;
    bench bench;
    auto const x = numbers(height * width);
    ask_lanes const kernel{.x = bench.put(x),
                           .width = width,
                           .sums = bench.poisoned<float>(height * lanes),
                           .most = bench.poisoned<float>(height * lanes)};
    cuda::launch_rows<Team>(kernel, height, bench.queue());
    auto const sums = bench.get(kernel.sums, height * lanes);
    auto const most = bench.get(kernel.most, height * lanes);
    int wrong = 0;
    for (index_t at = 0; at < height * lanes; ++at) {
      float const* const row = x.data() + at / lanes * width;
      float largest = -2;
      for (index_t i = 0; i < width; ++i) largest = row[i] > largest ? row[i] : largest;
      wrong += sums[static_cast<std::size_t>(at)] != sum_in_order(row, width, lanes);
      wrong += most[static_cast<std::size_t>(at)] != largest;
    }
    CHECK(wrong == 0);
  }
}

struct element_of {
  float const* x;
  HEDDLE_HOST_DEVICE float operator()(index_t i) const { return x[i]; }
};

/// Counts how often a row is met.
struct meet_rows {
  unsigned char* met;
  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (team.rank() == 0) met[row] = static_cast<unsigned char>(met[row] + 1);
  }
};

}  // namespace

TEST_CASE("team: every lane gets the same bits, and a warp those of the host") {
  check_team<cuda::warp_team<32>>(32);
  check_team<cuda::warp_team<8>>(8);
  check_team<cuda::warp_team<1>>(1);
  check_team<cuda::block_team<32>>(32);
  check_team<cuda::block_team<64>>(64);
  check_team<cuda::block_team<1024>>(1024);
  auto const row = numbers(1000);
  CHECK(sum_in_order(row.data(), 1000, 32) == kernel::sum_row<float>(serial_team{}, 1000, element_of{row.data()}));
}

TEST_CASE("launch: every row is met once, however many there are") {
  for (index_t count : {index_t{0}, index_t{1}, index_t{5}, index_t{1} << 20}) {
    bench bench;
    auto const on = bench.execution();
    auto* const met = on.allocate<unsigned char>(count);
    on.fill_zero(met, count);
    on.launch(meet_rows{met}, count);
    cuda::launch_rows<cuda::warp_team<4>>(meet_rows{met}, count, bench.queue());
    int wrong = 0;
    for (unsigned char times : bench.get(met, count)) wrong += times != 2;
    CHECK(wrong == 0);
  }
}

TEST_CASE("execution: counts of the host are where kernels read them") {
  for (index_t count : {0, 1, 255, 256, 257, 1000}) {
    bench bench;
    auto const on = bench.execution();
    index_t* const here = on.allocate_counts(count);
    for (index_t i = 0; i < count; ++i) here[i] = (i << 33) - i;
    auto const there = on.visible({here, static_cast<std::size_t>(count)});
    for (index_t i = 0; i < count; ++i) here[i] = -1;  // they have been copied at the call
    auto const got = bench.get(there.data(), there.count());
    REQUIRE(static_cast<index_t>(got.size()) == count);
    int wrong = 0;
    for (index_t i = 0; i < count; ++i) wrong += got[static_cast<std::size_t>(i)] != (i << 33) - i;
    CHECK(wrong == 0);
  }
}

TEST_CASE("execution: what is kept of a branch moves in the order of the stream") {
  for (index_t skipped : {64, 1000, 5000}) {
    bench bench;
    auto const on = bench.execution();
    auto const then = on.now();
    static_cast<void>(on.allocate<float>(skipped));
    auto const values = numbers(3000);
    float* const data = bench.put(values);
    float* const kept = on.keep_only(then, data, 3000);
    CHECK(kept <= data);
    CHECK(bench.get(kept, 3000) == values);
  }
}

TEST_CASE("execution: a captured step sends counts and launches, and repeats itself") {
  bench bench;
  auto const on = bench.execution();
  float* const sum = on.allocate<float>(100);
  float* const one = bench.put(std::vector<float>(100, 1.0F));
  std::vector<index_t> const counts{3, 1, 4};
  extents<tokens, hidden> const shape{10, 10};
  on.fill_zero(sum, 100);
  cudaGraph_t graph{};
  cudaGraphExec_t step{};
  cuda::check(cudaStreamBeginCapture(on.queue().stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  auto const there = on.visible(counts);
  on.launch(kernel::add<float, gpu>{.a = {sum, shape}, .b = {one, shape}, .y = {sum, shape}}, 10);
  cuda::check(cudaStreamEndCapture(on.queue().stream, &graph), "cudaStreamEndCapture");
  cuda::check(cudaGraphInstantiate(&step, graph, 0), "cudaGraphInstantiate");
  for (int i = 0; i < 5; ++i) cuda::check(cudaGraphLaunch(step, on.queue().stream), "cudaGraphLaunch");
  CHECK(bench.get(sum, 100) == std::vector<float>(100, 5.0F));
  CHECK(bench.get(there.data(), 3) == counts);
  static_cast<void>(cudaGraphExecDestroy(step));
  static_cast<void>(cudaGraphDestroy(graph));
}

TEST_CASE("memory: pointers of the host are refused, and memory that is not there is an error that does not stay") {
  bench bench;
  float number = 0;
  CHECK_THROWS_AS(cuda::check_device_memory("number", &number, 0), error);
  CHECK_NOTHROW(cuda::check_device_memory("data", bench.poisoned<float>(1), 0));
  try {
    cuda::device_buffer const everything{std::size_t{1} << 50, 7};
    FAIL("a GPU with a PiB");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.rank() == 7);
  }
  CHECK(cudaPeekAtLastError() == cudaSuccess);
}
