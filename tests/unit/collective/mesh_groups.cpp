// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/mesh_groups.hpp>

#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_world.hpp>
#include <vector>

using namespace heddle;

namespace {

template <class Group, class Groups>
std::vector<int> world_ranks(Groups& groups, int own) {
  auto& group = groups.template get<Group>();
  std::vector<int> ranks(static_cast<std::size_t>(group.size()));
  group.all_gather(std::span<int const>{&own, 1}, std::span<int>{ranks});
  return ranks;
}

}  // namespace

TEST_CASE("a group holds the ranks that differ in its coordinate alone, in that order") {
  mesh<tp, dp> const grid{2, 3};
  host::thread_world world{6};
  host::run(world, [&](host::thread_communicator& c) {
    mesh_groups<host::thread_communicator, tp, dp> groups{c, grid};
    int const rank = c.rank();
    CHECK(groups.get<tp>().size() == 2);
    CHECK(groups.get<tp>().rank() == rank % 2);
    CHECK(groups.get<dp>().rank() == rank / 2);
    CHECK(world_ranks<tp>(groups, rank) == std::vector<int>{rank / 2 * 2, rank / 2 * 2 + 1});
    CHECK(world_ranks<dp>(groups, rank) == std::vector<int>{rank % 2, rank % 2 + 2, rank % 2 + 4});
  });
}

TEST_CASE("two grids over the same ranks") {
  folding<> const grid{dense_mesh{4, 2}, expert_mesh{2, 2, 2}};
  host::thread_world world{8};
  host::run(world, [&](host::thread_communicator& c) {
    mesh_groups<host::thread_communicator, tp, dp, etp, ep, edp> groups{c, grid};
    int const rank = c.rank();
    CHECK(world_ranks<tp>(groups, rank) ==
          std::vector<int>{rank / 4 * 4, rank / 4 * 4 + 1, rank / 4 * 4 + 2, rank / 4 * 4 + 3});
    CHECK(world_ranks<etp>(groups, rank) == std::vector<int>{rank / 2 * 2, rank / 2 * 2 + 1});
    CHECK(world_ranks<ep>(groups, rank) == std::vector<int>{rank / 4 * 4 + rank % 2, rank / 4 * 4 + rank % 2 + 2});
    CHECK(world_ranks<edp>(groups, rank) == std::vector<int>{rank % 4, rank % 4 + 4});
  });
}

TEST_CASE("a mesh that is not the world's size is refused with both numbers") {
  host::self_communicator world;
  try {
    mesh_groups<host::self_communicator, tp> const groups{world, mesh<tp>{2}};
    FAIL("no error");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::shape);
    CHECK(problem.text().find("2 ranks") != std::string::npos);
    CHECK(problem.text().find("world 1") != std::string::npos);
  }
}

TEST_CASE("a rank alone has every group to itself") {
  host::self_communicator world;
  mesh_groups<host::self_communicator, tp, ep> groups{world, folding<>{}};
  CHECK(groups.get<tp>().size() == 1);
  CHECK(groups.get<ep>().rank() == 0);
}

TEST_CASE("a joint group holds the ranks of all its members, the first fastest") {
  folding<> const grid{dense_mesh{4, 3}, expert_mesh{2, 3, 2}};
  host::thread_world world{12};
  host::run(world, [&](host::thread_communicator& c) {
    mesh_groups<host::thread_communicator, joint<etp, ep>, joint<ep, etp>, ep, joint<tp, dp>> groups{c, grid};
    int const rank = c.rank();
    int const first = rank / 6 * 6;
    CHECK(groups.get<joint<etp, ep>>().rank() == rank % 6);
    CHECK(world_ranks<joint<etp, ep>>(groups, rank) ==
          std::vector<int>{first, first + 1, first + 2, first + 3, first + 4, first + 5});
    CHECK(world_ranks<joint<ep, etp>>(groups, rank) ==
          std::vector<int>{first, first + 2, first + 4, first + 1, first + 3, first + 5});
    CHECK(groups.get<ep>().size() == 3);
    CHECK(groups.get<joint<tp, dp>>().rank() == rank);
  });
}
