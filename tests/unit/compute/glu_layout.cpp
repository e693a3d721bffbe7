// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/glu_layout.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

/// Which pairs of gate and up columns a rank has: column c of `Layout` belongs to pair `pair_of(c)`.
template <class Layout, class PairOf>
std::vector<std::int64_t> pairs(std::int64_t width, int parts, int rank, PairOf pair_of) {
  std::vector<std::int64_t> found;
  for (int s = 0; s < Layout::packed::segments; ++s) {
    range const piece = Layout::packed::piece(2 * width, parts, rank, s);
    for (std::int64_t c = piece.begin; c < piece.end(); ++c) found.push_back(pair_of(c));
  }
  return found;
}

/// Every column behind the activation comes with its gate and its up column, whatever the number of ranks.
template <class Layout, class PairOf>
void check(std::int64_t width, PairOf pair_of) {
  for (int parts = 1; parts <= 7; ++parts) {
    for (int rank = 0; rank < parts; ++rank) {
      range const own = Layout::plain::piece(width, parts, rank);
      auto const found = pairs<Layout>(width, parts, rank, pair_of);
      CHECK(found.size() == static_cast<std::size_t>(2 * own.size));
      std::vector<int> seen(static_cast<std::size_t>(width));
      for (std::int64_t const pair : found) ++seen[static_cast<std::size_t>(pair)];
      for (std::int64_t f = 0; f < width; ++f)
        CHECK(seen[static_cast<std::size_t>(f)] == (f >= own.begin && f < own.end() ? 2 : 0));
    }
  }
}

}  // namespace

TEST_CASE("no layout tears a gate from its up column") {
  check<halves>(5, [](std::int64_t c) { return c % 5; });
  check<interleaved>(5, [](std::int64_t c) { return c / 2; });
  check<block_interleaved<3>>(12, [](std::int64_t c) { return c / 6 * 3 + c % 3; });
}

TEST_CASE("blocks that do not fill the axis are refused") {
  CHECK_THROWS_AS(static_cast<void>(block_interleaved<4>::packed::piece(20, 2, 0)), error);
}
