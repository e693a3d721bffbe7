// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/mesh.hpp>

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
