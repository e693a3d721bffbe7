// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/scan.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "sample.hpp"

using namespace heddle;

namespace {

/// sums[row] of scan_row over a few values, and what it returns behind them.
struct scanned {
  rows<index_t const> values;
  rows<index_t> sums;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const* const from = values.row(row);
    index_t const all = kernel::scan_row(team, values.row_size(), sums.row(row), [from](index_t i) { return from[i]; });
    if (team.rank() == team.size() - 1) sums.row(row)[values.row_size()] = all;
  }
};

}  // namespace

TEST_CASE("scan_row: sums of what lies before, for rows shorter and longer than the team") {
  for (int lanes : {0, 1, 4, 32}) {
    for (index_t const width : {0, 1, 3, 4, 5, 31, 32, 33, 70}) {
      std::vector<index_t> values(static_cast<std::size_t>(2 * width)),
          sums(static_cast<std::size_t>(2 * width) + 2, -1);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<index_t>(i * i % 13);
      // Rows of `sums` are one longer: each is its own launch.
      for (index_t row = 0; row < 2; ++row) {
        scanned const kernel{{values.data() + row * width, extents<tokens, hidden>{1, width}},
                             {sums.data() + row * (width + 1), extents<tokens, hidden>{1, width + 1}}};
        sample::launch(kernel, 1, lanes);
        index_t before = 0;
        for (index_t i = 0; i <= width; ++i) {
          CHECK(sums[static_cast<std::size_t>(row * (width + 1) + i)] == before);
          if (i < width) before += values[static_cast<std::size_t>(row * width + i)];
        }
      }
    }
  }
}
