// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/graph.hpp>

#include <concepts>
#include <doctest/doctest.h>

using heddle::error;
namespace cuda = heddle::cuda;

namespace {

struct some_execution {
  int number = 3;
};
static_assert(heddle::captures_steps<cuda::capturing<some_execution>> && !heddle::captures_steps<some_execution>);
static_assert(!std::copyable<cuda::graph> && std::movable<cuda::graph>);

}  // namespace

TEST_CASE("graph: a captured step sees the execution it is recorded on") {
  cuda::capturing<some_execution> const on{some_execution{7}};
  CHECK(on.number == 7);
}

TEST_CASE("graph: a stream that cannot be recorded is refused before the step runs, by call and rank") {
  bool ran = false;
  try {
    // The default stream is never recorded; where there is no GPU, no stream is.
    cuda::graph const work{cuda::queue{.rank = 5}, [&ran] { ran = true; }};
    FAIL("the default stream was recorded");
  } catch (error const& problem) {
    CHECK(problem.rank() == 5);
    CHECK(problem.text().starts_with("cudaStreamBeginCapture: "));
  }
  CHECK(!ran);
}
