// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/stored_tensor.hpp>

#include <doctest/doctest.h>

#include <map>

#include "support.hpp"

namespace {

using heddle::box;
using heddle::index_t;
using heddle::range;
using heddle::shape_t;
using namespace heddle::checkpoint;

/// Offset in the tensor -> index in the parameter, for every element that the pieces name; each offset once.
std::map<index_t, shape_t> contents(stored_tensor const& tensor) {
  std::map<index_t, shape_t> found;
  for (piece const& each : tensor.pieces) {
    shape_t index;
    for (lane const& along : each.lanes) index.push_back(along.items.begin);
    auto const visit = [&](auto const& self, std::size_t a) -> void {
      if (a < index.size()) {
        for (index_t i = 0; i < each.lanes[a].items.size; ++i) {
          index[a] = each.lanes[a].items.begin + i;
          self(self, a + 1);
        }
        return;
      }
      shape_t at = each.at;
      for (std::size_t l = 0; l < index.size(); ++l) {
        at[each.lanes[l].on] += each.lanes[l].step * (index[l] - each.lanes[l].items.begin);
      }
      index_t offset = 0;
      for (std::size_t s = 0; s < at.size(); ++s) {
        CHECK(at[s] >= 0);
        CHECK(at[s] < tensor.shape[s]);
        offset = offset * tensor.shape[s] + at[s];
      }
      CHECK(found.emplace(offset, index).second);
    };
    visit(visit, 0);
  }
  return found;
}

/// The items of an axis that a box owns, in storage order.
std::vector<index_t> items(std::vector<range> const& ranges) {
  std::vector<index_t> result;
  for (range const own : ranges) {
    for (index_t i = own.begin; i < own.end(); ++i) result.push_back(i);
  }
  return result;
}

}  // namespace

TEST_CASE("stored_tensor: a tensor that is its parameter") {
  auto const all = contents(whole_tensor("t", {2, 3}));
  CHECK(all.size() == 6);
  CHECK(all.at(4) == shape_t{1, 1});
  CHECK(contents(whole_tensor("s", {})).at(0).empty());
  CHECK(contents(whole_tensor("z", {2, 0, 3})).empty());
}

TEST_CASE("stored_tensor: a part holds what its box says, in the order of the box") {
  stored_tensor const whole = whole_tensor("t", {5, 8, 3});
  box const part{{{{1, 3}}, {{6, 2}, {1, 1}, {3, 0}, {2, 3}}, {{0, 3}}}};
  stored_tensor const mine = part_of(whole, part);
  CHECK(mine.shape == shape_t{3, 6, 3});
  auto const found = contents(mine);
  CHECK(found.size() == 54);
  auto const e = items(part.axes[0]), r = items(part.axes[1]), c = items(part.axes[2]);
  for (auto const& [offset, index] : found) {
    auto const o = static_cast<std::size_t>(offset);
    CHECK(index == shape_t{e[o / 18], r[o / 3 % 6], c[o % 3]});
  }
  CHECK(contents(part_of(whole, box{{{{1, 0}}, {{0, 8}}, {{0, 3}}}})).empty());
  CHECK(contents(part_of(whole_tensor("s", {}), box{})).size() == 1);
}

TEST_CASE("stored_tensor: a part of a tensor that runs in steps, backwards through the axes, and of a part") {
  // The parameter [2, 5, 3] lies as [3, 10]: the columns first, then rows of the two halves in turns.
  stored_tensor turns{"t", {3, 10}, {}};
  for (index_t half : {0, 1}) {
    turns.pieces.push_back({{{{half, 1}, 1, 0}, {{0, 5}, 1, 2}, {{0, 3}, 0, 1}}, {0, half}});
  }
  for (index_t begin = 0; begin < 10; ++begin) {
    for (index_t size = 0; begin + size <= 10; ++size) {
      auto const found = contents(part_of(turns, box{{{{1, 2}}, {{begin, size}}}}));
      CHECK(found.size() == static_cast<std::size_t>(2 * size));
      for (auto const& [offset, index] : found) {
        index_t const column = offset / size + 1, row = begin + offset % size;
        CHECK(index == shape_t{row % 2, row / 2, column});
      }
    }
  }
  stored_tensor const once = part_of(turns, box{{{{0, 3}}, {{2, 7}}}});
  auto const twice = contents(part_of(once, box{{{{2, 1}}, {{4, 2}, {1, 1}}}}));
  CHECK(twice == std::map<index_t, shape_t>{{0, {0, 3, 2}}, {1, {1, 3, 2}}, {2, {1, 1, 2}}});
}

TEST_CASE("stored_tensor: a box that lies outside is refused") {
  stored_tensor const whole = whole_tensor("t", {5, 8});
  CHECK(checkpoint_test::kind_from([&] { (void)part_of(whole, box{{{{0, 6}}, {{0, 8}}}}); }) == "shape");
  CHECK(checkpoint_test::kind_from([&] { (void)part_of(whole, box{{{{-1, 2}}, {{0, 8}}}}); }) == "shape");
  CHECK(checkpoint_test::kind_from([&] { (void)part_of(whole, box{{{{0, 5}}}}); }) == "shape");
}
