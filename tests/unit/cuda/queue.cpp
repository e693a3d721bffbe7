// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/queue.hpp>

#include <doctest/doctest.h>

using heddle::error;
using heddle::error_kind;
namespace cuda = heddle::cuda;

TEST_CASE("queue: nothing is copied or cleared without asking the runtime") {
  cuda::queue const on{.rank = 3};
  CHECK_NOTHROW(on.copy(nullptr, nullptr, 0));
  CHECK_NOTHROW(on.clear(nullptr, 0));
}

TEST_CASE("queue: what the runtime refuses names the call and the rank") {
  cuda::queue const on{.rank = 3};
  try {
    on.copy(nullptr, nullptr, 16);  // refused for its pointers, or for want of a GPU
    FAIL("16 bytes were copied from nowhere");
  } catch (error const& problem) {
    CHECK(problem.rank() == 3);
    CHECK(problem.text().starts_with("cudaMemcpyAsync: "));
  }
}
