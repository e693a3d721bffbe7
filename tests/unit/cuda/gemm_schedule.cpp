// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_schedule.hpp>

#include <doctest/doctest.h>

#include <set>
#include <tuple>
#include <vector>

#include "gemm_problem.hpp"
#include "lockstep.hpp"

using namespace heddle;
using namespace problem;
using cuda::tile_place;

namespace {

/// The table as a lane of its own makes it.
std::vector<index_t> table_of(std::vector<index_t> const& begins, index_t tile_rows) {
  std::vector<index_t> before(begins.size(), -1);
  cuda::count_row_tiles(
      begins.data(), static_cast<index_t>(begins.size()) - 1, tile_rows, before.data(), 0, 1,
      [](index_t value) { return value; }, [](index_t value) { return value; });
  return before;
}

/// Every tile once, and no other.
void check_once(std::vector<index_t> const& sizes, index_t tile_rows, index_t columns) {
  auto const begins = begins_of(sizes);
  auto const before = table_of(begins, tile_rows);
  cuda::row_schedule const schedule{before.data(), static_cast<index_t>(sizes.size()), columns};
  std::set<std::tuple<index_t, index_t, index_t>> wanted, met;
  for (std::size_t g = 0; g < sizes.size(); ++g)
    for (index_t row = 0; row * tile_rows < sizes[g]; ++row)
      for (index_t column = 0; column < columns; ++column) wanted.insert({static_cast<index_t>(g), row, column});
  CHECK(schedule.count() == static_cast<index_t>(wanted.size()));
  for (index_t number = 0; number < schedule.count(); ++number) {
    tile_place const at = schedule.at(number);
    met.insert({at.group, at.row, at.column});
  }
  CHECK(met == wanted);
}

}  // namespace

TEST_CASE("gemm_schedule: every tile once, for ragged and empty groups") {
  for (index_t columns : {1, 2, 7}) {
    for (index_t tile_rows : {1, 4, 16}) {
      check_once({}, tile_rows, columns);
      check_once({0}, tile_rows, columns);
      check_once({0, 0, 0}, tile_rows, columns);
      check_once({5}, tile_rows, columns);
      check_once({0, 33, 0, 0, 1, 16, 17, 0}, tile_rows, columns);
      check_once({150, 0, 1, 40}, tile_rows, columns);
    }
  }
  // All sizes of three groups.
  for (index_t a = 0; a < 6; ++a)
    for (index_t b = 0; b < 6; ++b)
      for (index_t c = 0; c < 6; ++c) check_once({a, b, c}, 2, 3);
  check_once({3, 4}, 2, 0);
}

TEST_CASE("gemm_schedule: blocks that run together share rows and columns of the operands") {
  auto const before = table_of({0, 20}, 1);
  cuda::row_schedule const schedule{before.data(), 1, 5};
  CHECK(schedule.at(0) == tile_place{0, 0, 0});
  CHECK(schedule.at(7) == tile_place{0, 7, 0});
  CHECK(schedule.at(8) == tile_place{0, 0, 1});
  CHECK(schedule.at(39) == tile_place{0, 7, 4});
  CHECK(schedule.at(40) == tile_place{0, 8, 0});
  CHECK(schedule.at(80) == tile_place{0, 16, 0});
  CHECK(schedule.at(84) == tile_place{0, 16, 1});  // the last band is four rows high
  CHECK(schedule.at(99) == tile_place{0, 19, 4});
}

TEST_CASE("gemm_schedule: a group that ends before it begins has no rows") {
  CHECK(table_of({0, 5, 3, 9}, 2) == std::vector<index_t>{0, 3, 3, 6});
}

TEST_CASE("gemm_schedule: a warp counts what one lane counts") {
  for (std::size_t groups :
       {std::size_t{0}, std::size_t{1}, std::size_t{31}, std::size_t{32}, std::size_t{33}, std::size_t{130}}) {
    std::vector<index_t> sizes;
    for (std::size_t g = 0; g < groups; ++g) sizes.push_back(static_cast<index_t>(g * 37 % 50));
    auto const begins = begins_of(sizes);
    std::vector<index_t> before(groups + 1, -1);
    auto const kernel = [&](lockstep::block const& block) {
      cuda::count_row_tiles(
          begins.data(), static_cast<index_t>(groups), 16, before.data(), block.thread(), 32,
          [&](index_t value) { return block.scan(value); }, [&](index_t value) { return block.last(value); });
    };
    lockstep::run(kernel, 32, 16, 1, {});
    CHECK(before == table_of(begins, 16));
  }
}

TEST_CASE("gemm_schedule: more tiles than 32 bits can count") {
  constexpr index_t many = index_t{1} << 40;
  std::vector<index_t> const begins{0, many, many, 3 * many + 1};
  auto const before = table_of(begins, 16);
  constexpr index_t columns = 3, first = many / 16 * columns, all = first + (2 * many / 16 + 1) * columns;
  cuda::row_schedule const schedule{before.data(), 3, columns};
  CHECK(schedule.count() == all);
  CHECK(schedule.at(first - 1) == tile_place{0, many / 16 - 1, 2});
  CHECK(schedule.at(first) == tile_place{2, 0, 0});
  CHECK(schedule.at(all - 1) == tile_place{2, 2 * many / 16, 2});
  // A place has one number, which is worked out from it here.
  for (index_t number = first - 100; number < all; number += many / 1000 + 7) {
    tile_place const at = schedule.at(number);
    index_t const rows = at.group == 0 ? many / 16 : 2 * many / 16 + 1;
    index_t const begin = at.row / 8 * 8, height = rows - begin < 8 ? rows - begin : 8;
    CHECK((at.group == 0 ? 0 : first) + begin * columns + at.column * height + at.row - begin == number);
  }
}

TEST_CASE("gemm_schedule: gradients of weights, every tile of every group once") {
  for (index_t rows : {1, 3, 9, 16}) {
    for (index_t columns : {1, 4}) {
      cuda::outer_schedule const schedule{5, rows, columns};
      CHECK(schedule.count() == 5 * rows * columns);
      std::set<std::tuple<index_t, index_t, index_t>> met;
      for (index_t number = 0; number < schedule.count(); ++number) {
        tile_place const at = schedule.at(number);
        CHECK((at.group >= 0 && at.group < 5 && at.row >= 0 && at.row < rows && at.column >= 0 && at.column < columns));
        met.insert({at.group, at.row, at.column});
      }
      CHECK(static_cast<index_t>(met.size()) == schedule.count());
    }
  }
  CHECK(cuda::outer_schedule{0, 3, 3}.count() == 0);
  cuda::outer_schedule const large{index_t{1} << 20, index_t{1} << 10, index_t{1} << 10};
  CHECK(large.at(large.count() - 1) == tile_place{(1 << 20) - 1, (1 << 10) - 1, (1 << 10) - 1});
}
