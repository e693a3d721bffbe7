// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/folding.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

template <class Make>
error_kind refusal(Make make) {
  try {
    make();
  } catch (error const& e) {
    CHECK(!e.hint().empty());
    return e.kind();
  }
  return error_kind::io;
}

}  // namespace

TEST_CASE("folding: both grids number the same ranks") {
  constexpr folding<> grid{dense_mesh{2, 4}, expert_mesh{1, 4, 2}};
  static_assert(grid.world() == 8);
  static_assert(grid.size<tp>() == 2 && grid.size<dp>() == 4 && grid.size<ep>() == 4 && grid.size<edp>() == 2 &&
                grid.size<etp>() == 1);
  for (int rank = 0; rank < 8; ++rank) {
    CHECK(grid.coordinate<tp>(rank) + 2 * grid.coordinate<dp>(rank) == rank);
    CHECK(grid.coordinate<etp>(rank) + grid.coordinate<ep>(rank) + 4 * grid.coordinate<edp>(rank) == rank);
  }
}

TEST_CASE("folding: TP4 CP2 DP8 PP4 holds EP64, which no single grid does") {
  using dense = mesh<tp, cp, dp, pp>;
  using expert = mesh<etp, ep, edp, pp>;
  constexpr folding<dense, expert> grid{dense{4, 2, 8, 4}, expert{1, 64, 1, 4}};
  static_assert(grid.world() == 256 && grid.size<ep>() == 64 && grid.size<pp>() == 4);
  // A pipeline stage means the same ranks in both grids.
  for (int rank = 0; rank < 256; ++rank) CHECK(grid.dense().coordinate<pp>(rank) == grid.expert().coordinate<pp>(rank));
}

TEST_CASE("folding: every grid of one world size fits every other") {
  for (int world = 1; world <= 12; ++world) {
    for (int t = 1; t <= world; ++t) {
      for (int e = 1; e <= world; ++e) {
        for (int x = 1; x <= world; ++x) {
          if (world % t != 0 || world % (e * x) != 0) continue;
          folding<> const grid{dense_mesh{t, world / t}, expert_mesh{x, e, world / (e * x)}};
          CHECK(grid.world() == world);
          CHECK(grid.size<etp>() * grid.size<ep>() * grid.size<edp>() == grid.size<tp>() * grid.size<dp>());
        }
      }
    }
  }
}

TEST_CASE("folding: unequal worlds and pipeline stages of other ranks are refused") {
  CHECK(refusal([] { folding<>{dense_mesh{2, 4}, expert_mesh{1, 4, 1}}; }) == error_kind::shape);
  using dense = mesh<tp, dp, pp>;
  using expert = mesh<etp, ep, edp, pp>;
  CHECK(refusal([] { folding<dense, expert>{dense{2, 2, 2}, expert{1, 2, 1, 4}}; }) == error_kind::shape);
  CHECK(refusal([] { folding<dense, expert>{dense{2, 2, 2}, expert{1, 4, 1, 2}}; }) == error_kind::io);  // fits
  using inverted = mesh<pp, etp, ep, edp>;
  CHECK(refusal([] { folding<dense, inverted>{dense{2, 2, 2}, inverted{2, 1, 4, 1}}; }) == error_kind::shape);
  CHECK(refusal([] {
          folding<dense, inverted>{dense{2, 2, 1}, inverted{1, 1, 4, 1}};
        }) == error_kind::io);  // one stage
}

TEST_CASE("folding: a group in both grids is the same ranks in both, whatever its name") {
  using dense = mesh<tp, cp, dp, replica, pp>;
  using expert = mesh<etp, ep, edp, replica, pp>;
  constexpr folding<dense, expert> grid{dense{2, 2, 2, 3, 2}, expert{1, 4, 2, 3, 2}};
  static_assert(grid.world() == 48 && grid.size<replica>() == 3);
  for (int rank = 0; rank < grid.world(); ++rank)
    CHECK(grid.dense().coordinate<replica>(rank) == grid.expert().coordinate<replica>(rank));
  CHECK(refusal([] { folding<dense, expert>{dense{2, 2, 2, 3, 2}, expert{1, 4, 2, 2, 3}}; }) == error_kind::shape);
  using swapped = mesh<etp, ep, edp, pp, replica>;
  CHECK(refusal([] { folding<dense, swapped>{dense{2, 2, 2, 2, 2}, swapped{1, 4, 2, 2, 2}}; }) == error_kind::shape);
  CHECK(refusal([] { folding<dense, swapped>{dense{2, 2, 2, 1, 2}, swapped{1, 4, 2, 2, 1}}; }) == error_kind::io);
}

namespace {

constexpr mesh<tp, cp, dp, pp> constant_dense{4, 2, 8, 4};
constexpr mesh<etp, ep, edp, pp> constant_expert{1, 64, 1, 4};

}  // namespace

TEST_CASE("folding: constant meshes are folded at compile time") {
  constexpr auto grid = fold<constant_dense, constant_expert>();
  static_assert(std::same_as<decltype(grid), folding<mesh<tp, cp, dp, pp>, mesh<etp, ep, edp, pp>> const>);
  static_assert(grid.world() == 256 && grid.size<ep>() == 64);
}

TEST_CASE("joint: groups of one grid, wherever it stands") {
  constexpr folding<> grid{dense_mesh{4, 2}, expert_mesh{2, 2, 2}};
  static_assert(grid.size<joint<tp, dp>>() == 8 && grid.size<joint<etp, edp>>() == 4);
  for (int rank = 0; rank < 8; ++rank) {
    CHECK(grid.coordinate<joint<dp, tp>>(rank) == rank / 4 + 2 * (rank % 4));
    CHECK(grid.coordinate<joint<etp, edp>>(rank) == rank % 2 + 2 * (rank / 4));
  }
}
