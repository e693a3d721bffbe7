// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/pad_rows.hpp>

#include "sample.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace heddle;

namespace {

using numbers = std::vector<index_t>;
per_row<index_t const> seen(numbers const& of) { return {of.data(), extents<tokens>{static_cast<index_t>(of.size())}}; }

/// The map of groups with `room`, by a team of `lanes`.
std::vector<std::int32_t> map_of(numbers const& sizes, numbers const& room, numbers const& from, numbers const& to,
                                 index_t height, int lanes) {
  std::vector<std::int32_t> map(static_cast<std::size_t>(height), -7);
  sample::launch(kernel::map_groups<>{seen(sizes), seen(room), seen(from), seen(to), sample::list_of(map)},
                 static_cast<index_t>(sizes.size()), lanes);
  return map;
}

}  // namespace

TEST_CASE("rows into gaps and out again: groups with some rows, none, a full one") {
  for (int const lanes : {1, 3}) {
    numbers const sizes{3, 0, 4, 1};
    numbers const room{4, 0, 4, 4};
    numbers const begins{0, 3, 3, 7};
    numbers const spaced{0, 4, 4, 8};
    CHECK(map_of(sizes, room, begins, spaced, 12, lanes) ==
          std::vector<std::int32_t>{0, 1, 2, -1, 3, 4, 5, 6, 7, -1, -1, -1});
    CHECK(map_of(sizes, sizes, spaced, begins, 8, lanes) == std::vector<std::int32_t>{0, 1, 2, 4, 5, 6, 7, 8});
    CHECK(map_of({}, {}, {}, {}, 0, lanes).empty());
  }
}

TEST_CASE("gaps are cleared, whatever was there, and rows are left alone") {
  std::vector<float> y{1, 2, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 5, 6};
  std::vector<std::int32_t> map{0, -1, 1};
  for (int const lanes : {1, 2}) {
    auto copy = y;
    sample::launch(kernel::clear_gaps<float>{sample::list_of(map), sample::rows_of(copy, 3, 2)}, 3, lanes);
    CHECK(copy == std::vector<float>{1, 2, 0, 0, 5, 6});
  }
}
