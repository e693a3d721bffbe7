// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/grids.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/thread_world.hpp>
#include <set>
#include <vector>

using namespace heddle;

namespace {

template <class Make>
std::string refusal(Make make) {
  try {
    static_cast<void>(make());
  } catch (error const& e) {
    CHECK(e.kind() == error_kind::shape);
    CHECK(!e.hint().empty());
    return e.text();
  }
  return "";
}

/// All groups of `Members`, as sets of ranks.
template <class... Members, class Mesh>
std::set<std::set<int>> groups_of(Mesh const& grid) {
  std::set<std::set<int>> found;
  for (int rank = 0; rank < grid.world(); ++rank) {
    auto const list = grid.template members<Members...>(rank);
    std::set<int> one;
    for (int i = 0; i < list.size(); ++i) one.insert(list[i]);
    found.insert(one);
  }
  return found;
}

}  // namespace

TEST_CASE("megatron_grids: TP4 CP2 DP8 PP4, with ETP1 and EP64") {
  constexpr auto grid = megatron_grids({.tp = 4, .cp = 2, .dp = 8, .pp = 4, .ep = 64, .etp = 1});
  static_assert(grid.world() == 256 && grid.size<ep>() == 64 && grid.size<edp>() == 1 && grid.size<etp>() == 1);
  static_assert(grid.size<tp>() == 4 && grid.size<cp>() == 2 && grid.size<dp>() == 8 && grid.size<pp>() == 4);
  CHECK(groups_of<pp>(grid.dense()) == groups_of<pp>(grid.expert()));
  // One stage is 64 ranks, and they are one expert group: the ranks of tp x cp x dp.
  CHECK(groups_of<ep>(grid.expert()) == groups_of<tp, cp, dp>(grid.dense()));
  // Where every expert is cut over tp, a stage holds 16 ranks of ep at most.
  CHECK(megatron_grids({.tp = 4, .cp = 2, .dp = 8, .pp = 4, .ep = 16}).size<edp>() == 1);
  CHECK(refusal([] { return megatron_grids({.tp = 4, .cp = 2, .dp = 8, .pp = 4, .ep = 64}); }) ==
        "a pipeline stage has 64 ranks, and ep 64 x etp 4 takes 256");
}

TEST_CASE("megatron_grids: every rank where the formulas say") {
  for (int tp_size : {1, 2, 3}) {
    for (int cp_size : {1, 2}) {
      for (int dp_size : {1, 2, 4}) {
        for (int pp_size : {1, 3}) {
          int const stage = tp_size * cp_size * dp_size;
          for (int etp_size = 1; etp_size <= stage; ++etp_size) {
            for (int ep_size = 1; etp_size * ep_size <= stage; ++ep_size) {
              megatron_sizes const n{tp_size, cp_size, dp_size, pp_size, ep_size, etp_size};
              if (stage % (etp_size * ep_size) != 0) {
                CHECK(refusal([&] { return megatron_grids(n); }) != "");
                continue;
              }
              auto const grid = megatron_grids(n);
              int const edp_size = stage / etp_size / ep_size;
              CHECK(grid.size<edp>() == edp_size);
              int rank = 0;
              for (int p = 0; p < pp_size; ++p) {
                for (int d = 0; d < dp_size; ++d) {
                  for (int c = 0; c < cp_size; ++c) {
                    for (int t = 0; t < tp_size; ++t, ++rank) {
                      CHECK(grid.coordinate<tp>(rank) == t);
                      CHECK(grid.coordinate<cp>(rank) == c);
                      CHECK(grid.coordinate<dp>(rank) == d);
                      CHECK(grid.coordinate<pp>(rank) == p);
                    }
                  }
                }
              }
              rank = 0;
              for (int p = 0; p < pp_size; ++p) {
                for (int d = 0; d < edp_size; ++d) {
                  for (int e = 0; e < ep_size; ++e) {
                    for (int t = 0; t < etp_size; ++t, ++rank) {
                      CHECK(grid.coordinate<etp>(rank) == t);
                      CHECK(grid.coordinate<ep>(rank) == e);
                      CHECK(grid.coordinate<edp>(rank) == d);
                      CHECK(grid.expert().coordinate<pp>(rank) == p);
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("torchtitan_grids: ((pp*R + rep)*EFSDP + efsdp)*EP + ep, and copies of the model are the same ranks") {
  for (int t : {1, 2}) {
    for (int c : {1, 2}) {
      for (int s : {1, 2, 4}) {
        for (int r : {1, 2}) {
          for (int p : {1, 2}) {
            for (int e = 1; e <= s * c * t + 1; ++e) {
              torchtitan_sizes const n{.tp = t, .cp = c, .shard = s, .replicate = r, .pp = p, .ep = e};
              if (s * c * t % e != 0) {
                CHECK(refusal([&] { return torchtitan_grids(n); }) != "");
                continue;
              }
              auto const grid = torchtitan_grids(n);
              int const efsdp = s * c * t / e;
              for (int rank = 0; rank < grid.world(); ++rank) {
                auto const& dense = grid.dense();
                auto const& sparse = grid.expert();
                CHECK((((dense.coordinate<pp>(rank) * r + dense.coordinate<replica>(rank)) * s +
                        dense.coordinate<dp>(rank)) *
                           c +
                       dense.coordinate<cp>(rank)) *
                              t +
                          dense.coordinate<tp>(rank) ==
                      rank);
                CHECK(((sparse.coordinate<pp>(rank) * r + sparse.coordinate<replica>(rank)) * efsdp +
                       sparse.coordinate<edp>(rank)) *
                              e +
                          sparse.coordinate<ep>(rank) ==
                      rank);
              }
              CHECK(groups_of<replica>(grid.dense()) == groups_of<replica>(grid.expert()));
              CHECK(groups_of<pp>(grid.dense()) == groups_of<pp>(grid.expert()));
              // What ep and edp share out is one copy of the model.
              CHECK(groups_of<ep, edp>(grid.expert()) == groups_of<tp, cp, dp>(grid.dense()));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("dp2ep: expert ranks are all of cp and the inner part of the dp shards, one mesh or two") {
  struct in_ep : group<"in_ep", 25> {};    // dp_shard_in_ep
  struct mod_ep : group<"mod_ep", 20> {};  // dp_shard_mod_ep
  for (int t : {1, 2}) {
    for (int c : {1, 2}) {
      for (int inner : {1, 2, 3}) {
        for (int outer : {1, 2}) {
          mesh<tp, cp, in_ep, mod_ep> const one{t, c, inner, outer};
          auto const two = megatron_grids({.tp = t, .cp = c, .dp = inner * outer, .ep = c * inner, .etp = t});
          CHECK(groups_of<cp, in_ep>(one) == groups_of<ep>(two.expert()));
          CHECK(groups_of<mod_ep>(one) == groups_of<edp>(two.expert()));
          CHECK(groups_of<tp>(one) == groups_of<etp>(two.expert()));
          CHECK(groups_of<in_ep, mod_ep>(one) == groups_of<dp>(two.dense()));
          for (int rank = 0; rank < one.world(); ++rank)
            CHECK(one.coordinate<joint<cp, in_ep>>(rank) == two.coordinate<ep>(rank));
        }
      }
    }
  }
}

TEST_CASE("grids: all seven groups and the joint ones have communicators") {
  constexpr auto grid = megatron_grids({.tp = 2, .cp = 2, .dp = 1, .pp = 2, .ep = 2, .etp = 1});
  host::thread_world world{grid.world()};
  host::run(world, [&](host::thread_communicator& rank) {
    mesh_groups<host::thread_communicator, tp, cp, dp, pp, etp, ep, edp, joint<tp, cp>, joint<etp, ep>> groups{rank,
                                                                                                               grid};
    int const me = rank.rank();
    auto const check = [&]<class Group>(type_list<Group>) {
      CHECK(groups.template get<Group>().size() == grid.template size<Group>());
      CHECK(groups.template get<Group>().rank() == grid.template coordinate<Group>(me));
    };
    check(type_list<tp>{});
    check(type_list<cp>{});
    check(type_list<dp>{});
    check(type_list<pp>{});
    check(type_list<etp>{});
    check(type_list<ep>{});
    check(type_list<edp>{});
    check(type_list<joint<tp, cp>>{});
    check(type_list<joint<etp, ep>>{});
    std::vector<std::int32_t> data{me};
    groups.template get<pp>().all_reduce(std::span<std::int32_t>{data});
    CHECK(data[0] == me % 4 + (me % 4 + 4));
  });
}
