// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/launch_rows.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

struct count_rows {
  std::atomic<int>* runs;
  template <team Team>
  void operator()(Team const& team, index_t row) const {
    runs[row] += team.size() == 1 ? 1 : 100;
  }
};

}  // namespace

TEST_CASE("launch_rows: every row once, whatever the number of threads") {
  for (int threads : {1, 2, 3, 64, 1 << 30}) {
    for (index_t count : {0, 1, 31, 32, 33, threads > 64 ? 40 : 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count) + 1);
      host::launch_rows(count_rows{runs.data()}, count, threads);
      for (index_t row = 0; row < count; ++row) CHECK(runs[static_cast<std::size_t>(row)] == 1);
      CHECK(runs.back() == 0);
    }
  }
}
