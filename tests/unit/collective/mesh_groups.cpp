// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/mesh_groups.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_communicator.hpp>
#include <heddle/host/thread_world.hpp>

using namespace heddle;

TEST_CASE("mesh_groups: a communicator a group, with the grid's coordinate as rank and its members as ranks") {
  using grid_type = folding<>;
  for (auto const& grid : {grid_type{dense_mesh{2, 4}, expert_mesh{1, 4, 2}}, grid_type{dense_mesh{4, 2}, expert_mesh{2, 2, 2}}}) {
    std::atomic<int> wrong{0};
    host::thread_world world{grid.world()};
    host::run(world, [&](host::thread_communicator& ranks) {
      int const me = ranks.rank();
      mesh_groups<host::thread_communicator, tp, dp, etp, ep, edp> groups{ranks, grid};
      auto check = [&](auto group, auto const& members) {
        using group_type = decltype(group);
        auto& communicator = groups.template get<group_type>();
        wrong += communicator.rank() != grid.template coordinate<group_type>(me);
        wrong += communicator.size() != grid.template size<group_type>();
        std::int64_t const mine[] = {me};
        std::vector<std::int64_t> all(static_cast<std::size_t>(communicator.size()));
        communicator.all_gather(std::span<std::int64_t const>{mine}, std::span<std::int64_t>{all});
        for (int i = 0; i < communicator.size(); ++i) wrong += all[static_cast<std::size_t>(i)] != members[i];
      };
      check(tp{}, grid.dense().members<tp>(me));
      check(dp{}, grid.dense().members<dp>(me));
      check(etp{}, grid.expert().members<etp>(me));
      check(ep{}, grid.expert().members<ep>(me));
      check(edp{}, grid.expert().members<edp>(me));
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("mesh_groups: one rank, one plain mesh") {
  host::self_communicator alone;
  mesh_groups<host::self_communicator, tp, dp> groups{alone, dense_mesh{}};
  CHECK(groups.get<tp>().size() == 1);
  CHECK(&groups.get<tp>() != &groups.get<dp>());
}

TEST_CASE("mesh_groups: a grid of another size than the world is refused with both numbers") {
  host::self_communicator alone;
  try {
    mesh_groups<host::self_communicator, tp> const groups{alone, dense_mesh{2, 3}};
    FAIL("accepted six ranks in a world of one");
  } catch (error const& e) {
    CHECK(e.kind() == error_kind::shape);
    CHECK(e.text() == "the mesh has 6 ranks and the world 1");
  }
}
