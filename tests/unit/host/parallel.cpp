// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/parallel.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <stdexcept>
#include <vector>

using namespace heddle;

TEST_CASE("parallel: every task runs once, on a thread below the number asked for") {
  for (int threads : {1, 2, 3, 8}) {
    for (index_t count : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      std::atomic<bool> in_range = true;
      host::parallel_for(threads, count, [&](index_t i, int thread) {
        ++runs[static_cast<std::size_t>(i)];
        if (thread < 0 || thread >= threads) in_range = false;
      });
      for (auto const& number : runs) CHECK(number == 1);
      CHECK(in_range);
    }
  }
}

TEST_CASE("parallel: an exception of a task reaches the caller, once") {
  for (int threads : {1, 2, 3}) {
    std::atomic<int> runs = 0;
    CHECK_THROWS_AS(host::parallel_for(threads, 10,
                                       [&](index_t i, int) {
                                         ++runs;
                                         if (i % 2 == 1) throw std::runtime_error("odd");
                                       }),
                    std::runtime_error);
    CHECK(runs >= 2);
  }
}

#if defined(_OPENMP)
TEST_CASE("parallel: a task finds itself alone, and the caller's setting stays") {
  int const before = omp_get_max_threads();
  for (int threads : {1, 2}) {
    std::atomic<int> most = 0;
    host::parallel_for(threads, 4, [&](index_t, int) { most = omp_get_max_threads(); });
    CHECK(most == 1);
    CHECK(omp_get_max_threads() == before);
  }
}
#endif
