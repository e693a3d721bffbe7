// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/mesh.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <set>
#include <vector>

using namespace heddle;

TEST_CASE("mesh: the first group varies fastest, as in Megatron's tp-cp-dp-pp") {
  constexpr mesh<tp, cp, dp, pp> grid{4, 2, 8, 4};
  static_assert(grid.world() == 256);
  static_assert(grid.stride<tp>() == 1 && grid.stride<cp>() == 4 && grid.stride<dp>() == 8 && grid.stride<pp>() == 64);
  for (int rank = 0; rank < grid.world(); ++rank) {
    int const t = grid.coordinate<tp>(rank), c = grid.coordinate<cp>(rank), d = grid.coordinate<dp>(rank),
              p = grid.coordinate<pp>(rank);
    CHECK(t + 4 * (c + 2 * (d + 8 * p)) == rank);
  }
}

TEST_CASE("mesh: ranks and coordinates are a bijection for every small shape") {
  for (int a = 1; a <= 4; ++a) {
    for (int b = 1; b <= 3; ++b) {
      for (int c = 1; c <= 3; ++c) {
        mesh<tp, ep, dp> const grid{a, b, c};
        std::set<std::array<int, 3>> seen;
        for (int rank = 0; rank < grid.world(); ++rank) {
          std::array<int, 3> const at{grid.coordinate<tp>(rank), grid.coordinate<ep>(rank), grid.coordinate<dp>(rank)};
          CHECK((at[0] >= 0 && at[0] < a && at[1] >= 0 && at[1] < b && at[2] >= 0 && at[2] < c));
          seen.insert(at);
        }
        CHECK(static_cast<int>(seen.size()) == a * b * c);
      }
    }
  }
}

namespace {

template <class... Members, class Grid>
void check_members(Grid const& grid) {
  for (int rank = 0; rank < grid.world(); ++rank) {
    auto const list = grid.template members<Members...>(rank);
    std::set<int> seen;
    bool contains_rank = false;
    for (int i = 0; i < list.size(); ++i) {
      contains_rank |= list[i] == rank;
      seen.insert(list[i]);
      // A member's own list is the same list.
      CHECK(grid.template members<Members...>(list[i]).first == list.first);
    }
    CHECK(contains_rank);
    CHECK(static_cast<int>(seen.size()) == list.size());
    CHECK(list.size() == (1 * ... * grid.template size<Members>()));
  }
}

}  // namespace

TEST_CASE("members: every rank is in its own group, groups do not overlap, member i has coordinate i") {
  mesh<tp, cp, dp> const grid{2, 3, 2};
  check_members<tp>(grid);
  check_members<cp>(grid);
  check_members<tp, dp>(grid);
  check_members<tp, cp, dp>(grid);
  auto const replicas = grid.members<dp>(5);  // tp 1, cp 2, dp 0
  CHECK(replicas[0] == 5);
  CHECK(replicas[1] == 11);
  for (int i = 0; i < 3; ++i) CHECK(grid.coordinate<cp>(grid.members<cp>(7)[i]) == i);
}

TEST_CASE("members: several groups enumerate the first one fastest") {
  constexpr mesh<etp, ep, edp> grid{2, 3, 2};
  constexpr auto both = grid.members<etp, ep>(7);
  static_assert(both.first == 6 && both.size() == 6);
  static_assert(both[0] == 6 && both[1] == 7 && both[2] == 8 && both[5] == 11);
  constexpr auto swapped = grid.members<ep, etp>(7);
  static_assert(swapped[1] == 8 && swapped[3] == 7);
}

TEST_CASE("mesh: a group it does not have has one rank; the default is one rank in all") {
  constexpr mesh<tp, dp> grid{2, 4};
  static_assert(grid.size<ep>() == 1 && grid.coordinate<ep>(5) == 0);
  static_assert(mesh<tp, dp>{}.world() == 1 && mesh<tp, dp>{} == mesh<tp, dp>{1, 1});
  static_assert(mesh<>{}.world() == 1);
}

TEST_CASE("mesh: a size below one is refused with the number") {
  try {
    mesh<tp, dp> const grid{2, 0};
    FAIL("accepted a group of size " << grid.size<dp>());
  } catch (error const& e) {
    CHECK(e.kind() == error_kind::shape);
    CHECK(e.text().find("size 0") != std::string::npos);
  }
}

TEST_CASE("mesh: more ranks than an int can count are refused") {
  CHECK(mesh<tp, dp>{65536, 32767}.world() == 65536 * 32767);
  CHECK_THROWS_AS(static_cast<void>(mesh<tp, dp>{65536, 65536}), error);
  CHECK_THROWS_AS(static_cast<void>(mesh<tp, ep, dp>{65536, 65536, 65536}), error);
}

TEST_CASE("joint: the first member is fastest, whatever the order in the mesh") {
  constexpr mesh<etp, ep, edp> grid{2, 3, 2};
  static_assert(grid.has<joint<etp, ep>> && grid.has<ep> && !grid.has<tp> && !grid.has<joint<tp, ep>>);
  static_assert(grid.size<joint<etp, ep>>() == 6 && grid.size<joint<edp, etp>>() == 4);
  static_assert(grid.size<joint<tp, ep>>() == 3 && grid.coordinate<joint<tp, dp>>(7) == 0);
  for (int rank = 0; rank < grid.world(); ++rank) {
    CHECK(grid.coordinate<joint<etp, ep>>(rank) == rank % 6);
    CHECK(grid.coordinate<joint<ep, etp>>(rank) == rank / 2 % 3 + 3 * (rank % 2));
    CHECK(grid.coordinate<joint<edp, etp>>(rank) == rank / 6 + 2 * (rank % 2));
    CHECK(grid.coordinate<joint<ep>>(rank) == grid.coordinate<ep>(rank));
    auto const members = grid.members<ep, etp>(rank);
    CHECK(members[grid.coordinate<joint<ep, etp>>(rank)] == rank);
  }
}

namespace {

/// Groups by counting: all ranks with their coordinates, found by walking the grid as an odometer.
template <std::size_t Axes>
std::vector<std::array<int, Axes>> odometer(std::array<int, Axes> const& sizes) {
  std::vector<std::array<int, Axes>> places;
  std::array<int, Axes> place{};
  for (;;) {
    places.push_back(place);
    std::size_t axis = 0;
    while (axis < Axes && ++place[axis] == sizes[axis]) place[axis++] = 0;
    if (axis == Axes) return places;
  }
}
/// The members of `rank`'s group over some axes, the first of them fastest.
template <std::size_t Axes>
std::vector<int> brute_members(std::vector<std::array<int, Axes>> const& places, int rank,
                               std::vector<std::size_t> const& axes, std::array<int, Axes> const& sizes) {
  auto const& own = places[static_cast<std::size_t>(rank)];
  std::vector<int> members;
  std::vector<int> keys;
  for (std::size_t other = 0; other < places.size(); ++other) {
    bool same = true;
    for (std::size_t a = 0; a < Axes; ++a) {
      bool const masked = std::find(axes.begin(), axes.end(), a) != axes.end();
      same &= masked || places[other][a] == own[a];
    }
    if (!same) continue;
    int key = 0;
    for (std::size_t i = axes.size(); i > 0; --i) key = key * sizes[axes[i - 1]] + places[other][axes[i - 1]];
    std::size_t at = 0;
    while (at < keys.size() && keys[at] < key) ++at;
    keys.insert(keys.begin() + static_cast<std::ptrdiff_t>(at), key);
    members.insert(members.begin() + static_cast<std::ptrdiff_t>(at), static_cast<int>(other));
  }
  return members;
}
template <class... Members, class Grid, std::size_t Axes>
bool equal_groups(Grid const& grid, std::array<int, Axes> const& sizes, std::vector<std::size_t> const& axes) {
  auto const places = odometer(sizes);
  for (int rank = 0; rank < grid.world(); ++rank) {
    auto const expected = brute_members(places, rank, axes, sizes);
    auto const list = grid.template members<Members...>(rank);
    if (static_cast<std::size_t>(list.size()) != expected.size()) return false;
    for (int i = 0; i < list.size(); ++i) {
      if (list[i] != expected[static_cast<std::size_t>(i)]) return false;
    }
    if (list[grid.template coordinate<joint<Members...>>(rank)] != rank) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("members: prefix-product strides give the groups that counting gives, for many sizes") {
  for (int a : {1, 2, 3}) {
    for (int b : {1, 2, 4}) {
      for (int c : {1, 3}) {
        for (int d : {1, 2, 5}) {
          std::array<int, 4> const sizes{a, b, c, d};
          mesh<tp, cp, dp, pp> const grid{a, b, c, d};
          CHECK(equal_groups<tp>(grid, sizes, {0}));
          CHECK(equal_groups<cp>(grid, sizes, {1}));
          CHECK(equal_groups<dp>(grid, sizes, {2}));
          CHECK(equal_groups<pp>(grid, sizes, {3}));
          CHECK(equal_groups<tp, cp>(grid, sizes, {0, 1}));
          CHECK(equal_groups<cp, tp>(grid, sizes, {1, 0}));
          CHECK(equal_groups<tp, dp>(grid, sizes, {0, 2}));
          CHECK(equal_groups<tp, cp, dp>(grid, sizes, {0, 1, 2}));
          CHECK(equal_groups<tp, cp, dp, pp>(grid, sizes, {0, 1, 2, 3}));
        }
      }
    }
  }
}
