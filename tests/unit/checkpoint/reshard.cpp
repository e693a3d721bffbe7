// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/reshard.hpp>

#include <doctest/doctest.h>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <random>

#include "expert_numbers.hpp"
#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::box;
using heddle::etp;
using heddle::range;
using heddle::shape_t;
using heddle::tp;
using numbers = std::vector<float>;

/// The local tensor of a box, element by element.
numbers local_of(shape_t const& shape, numbers const& whole, box const& part) {
  numbers result;
  auto const visit = [&](auto const& self, std::size_t axis, index_t offset) -> void {
    if (axis == shape.size()) return result.push_back(whole[static_cast<std::size_t>(offset)]);
    for (range const own : part.axes[axis]) {
      for (index_t i = own.begin; i < own.end(); ++i) self(self, axis + 1, offset * shape[axis] + i);
    }
  };
  visit(visit, 0, 0);
  return result;
}

/// One tensor a rank: what the plan gives to `to`, given that the ranks of `from` hold `values`.
std::vector<numbers> run(std::vector<stored_tensor> const& from, std::vector<numbers> const& values,
                         std::vector<stored_tensor> const& to) {
  std::vector<holding> has, wants;
  for (std::size_t r = 0; r < from.size(); ++r) has.push_back({static_cast<int>(r), 0, &from[r]});
  for (std::size_t r = 0; r < to.size(); ++r) wants.push_back({static_cast<int>(r), 0, &to[r]});
  std::vector<numbers> result;
  for (stored_tensor const& each : to) result.emplace_back(static_cast<std::size_t>(each.count()), 0.0F);
  for (copy_step const& step : reshard(has, wants)) {
    auto const source = static_cast<std::size_t>(step.from_rank), target = static_cast<std::size_t>(step.to_rank);
    REQUIRE(step.move.from_end() <= static_cast<index_t>(values[source].size()));
    REQUIRE(step.move.to_end() <= static_cast<index_t>(result[target].size()));
    copy_region(step.move, values[source].data(), result[target].data());
  }
  return result;
}

/// The meshes of W ranks: (tp | etp) fastest, then ep, then replicas.
struct mesh_sizes {
  int inner, ep, replicas;
};
std::vector<mesh_sizes> meshes() {
  std::vector<mesh_sizes> all;
  for (int world : {1, 2, 4, 8}) {
    for (int inner = 1; inner <= world; inner *= 2) {
      for (int ep = 1; inner * ep <= world; ep *= 2) all.push_back({inner, ep, world / inner / ep});
    }
  }
  return all;
}

/// What a mesh does to one tensor: each rank's part of it and the numbers there.
struct distributed {
  std::vector<stored_tensor> where;
  std::vector<numbers> values;
};
template <class Style>
distributed deal(stored_tensor const& whole, numbers const& all, mesh_sizes const& sizes,
                 heddle::weight_order order = heddle::weight_order::out_in) {
  heddle::expert_mesh const grid{sizes.inner, sizes.ep, sizes.replicas};
  distributed result;
  for (int rank = 0; rank < grid.world(); ++rank) {
    box const part = heddle::shard_weight<Style>(whole.shape, grid, rank, order);
    result.where.push_back(part_of(whole, part));
    result.values.push_back(local_of(whole.shape, all, part));
  }
  return result;
}

using experts_only = heddle::grouped_gemm<heddle::ep>;
using gate_up = heddle::both<experts_only, heddle::packed_colwise<etp>>;
using pairs = heddle::both<experts_only, heddle::packed_colwise<etp, heddle::units<heddle::ceil_chunk, 2>>>;
using blocks = heddle::both<experts_only, heddle::packed_colwise<etp, heddle::units<heddle::balanced, 6>>>;
using down = heddle::both<experts_only, heddle::rowwise<etp>>;

}  // namespace

TEST_CASE("reshard: every pair of meshes of 1, 2, 4 and 8 ranks, merged halves on both sides") {
  expert_sizes const s{5, 7, 3};
  stored_tensor const fc1 = merged_fc1("a", s), fc2 = merged_fc2("b", s);
  numbers const one = merged_fc1_values(s, {}), two = merged_fc2_values(s, {});
  for (mesh_sizes const& before : meshes()) {
    distributed const a = deal<gate_up>(fc1, one, before), b = deal<down>(fc2, two, before);
    for (mesh_sizes const& after : meshes()) {
      distributed const c = deal<gate_up>(fc1, one, after), d = deal<down>(fc2, two, after);
      CHECK(run(a.where, a.values, c.where) == c.values);
      CHECK(run(b.where, b.values, d.where) == d.values);
    }
  }
}

TEST_CASE("reshard: every pair of meshes, from pairs in turns to a transposed tensor of halves and to blocks") {
  expert_sizes const s{3, 9, 2};
  merged_form const row_by_row{.block = 1}, turned{.order = heddle::weight_order::in_out}, turns{.block = 3};
  stored_tensor const first = merged_fc1("a", s, row_by_row), second = merged_fc1("b", s, turned),
                      third = merged_fc1("c", s, turns);
  for (mesh_sizes const& before : meshes()) {
    distributed const a = deal<pairs>(first, merged_fc1_values(s, row_by_row), before);
    for (mesh_sizes const& after : meshes()) {
      distributed const b = deal<gate_up>(second, merged_fc1_values(s, turned), after, turned.order);
      distributed const c = deal<blocks>(third, merged_fc1_values(s, turns), after);
      CHECK(run(a.where, a.values, b.where) == b.values);
      CHECK(run(a.where, a.values, c.where) == c.values);
    }
  }
}

TEST_CASE("reshard: 1,000 random plans") {
  std::mt19937 draw{20261121};
  auto const upto = [&](int n) { return static_cast<int>(draw() % static_cast<unsigned>(n + 1)); };
  long moved = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    CAPTURE(trial);
    index_t const block = 1 + upto(3);
    expert_sizes const s{upto(5), block * upto(4), upto(4), 1 + upto(1)};
    auto const side = [&] {
      merged_form const form{upto(1) == 0 ? heddle::weight_order::out_in : heddle::weight_order::in_out,
                             std::array<index_t, 3>{0, 1, block}[static_cast<std::size_t>(upto(2))]};
      stored_tensor const whole = merged_fc1("t", s, form);
      numbers const all = merged_fc1_values(s, form);
      distributed result;
      // Each axis is cut at random places, into neighbours and scattered pieces; some ranks hold copies.
      int const copies = 1 + upto(2), cuts = 1 + upto(2);
      std::vector<std::vector<std::vector<range>>> owned(3);
      for (std::size_t axis = 0; axis < 3; ++axis) {
        owned[axis].resize(static_cast<std::size_t>(axis == 0 ? 1 + upto(2) : cuts));
        for (index_t at = 0; at < whole.shape[axis];) {
          index_t const size = std::min<index_t>(1 + upto(3), whole.shape[axis] - at);
          owned[axis][static_cast<std::size_t>(upto(static_cast<int>(owned[axis].size()) - 1))].push_back({at, size});
          at += size;
        }
        for (auto& ranges : owned[axis]) std::shuffle(ranges.begin(), ranges.end(), draw);
      }
      for (int copy = 0; copy < copies; ++copy) {
        for (auto const& e : owned[0]) {
          for (auto const& r : owned[1]) {
            for (auto const& c : owned[2]) {
              box const part{{e, r, c}};
              result.where.push_back(part_of(whole, part));
              result.values.push_back(local_of(whole.shape, all, part));
            }
          }
        }
      }
      return result;
    };
    distributed const from = side(), to = side();
    CHECK(run(from.where, from.values, to.where) == to.values);
    for (numbers const& each : to.values) moved += static_cast<long>(each.size());
  }
  CHECK(moved > 50'000);
}

TEST_CASE("reshard: each element is moved once, from the receiver itself or the holder next behind it") {
  stored_tensor const whole = whole_tensor("t", {8});
  // Ranks 0 and 2 hold the first half, 1 and 3 the second; rank 4 is empty.
  std::vector<stored_tensor> parts;
  for (index_t begin : {0, 4, 0, 4}) parts.push_back(part_of(whole, box{{{{begin, 4}}}}));
  parts.push_back(part_of(whole, box{{{{8, 0}}}}));
  std::vector<holding> has;
  for (std::size_t r = 0; r < parts.size(); ++r) has.push_back({static_cast<int>(r), 0, &parts[r]});
  for (int receiver = 0; receiver < 5; ++receiver) {
    holding const wants{receiver, 7, &whole};
    auto const plan = reshard(has, std::span{&wants, 1});
    REQUIRE(plan.size() == 2);
    std::array<int, 2> sources{};
    for (copy_step const& step : plan) {
      CHECK(step.to_rank == receiver);
      CHECK(step.to_tensor == 7);
      CHECK(step.move == region{0, step.move.to, {{4, 1, 1}}});
      sources[static_cast<std::size_t>(step.move.to / 4)] = step.from_rank;
    }
    std::array<std::array<int, 2>, 5> const expected{{{0, 1}, {2, 1}, {2, 3}, {0, 3}, {0, 1}}};
    CHECK(sources == expected[static_cast<std::size_t>(receiver)]);
  }
}

TEST_CASE("reshard: copies that overlap and disagree about the cut still give each element once") {
  stored_tensor const whole = whole_tensor("t", {6, 5});
  numbers all(30);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<float>(i + 1);
  std::vector<box> const boxes{box{{{{0, 4}}, {{1, 3}}}}, box{{{{2, 4}}, {{0, 5}}}}, box{{{{0, 3}}, {{0, 2}, {4, 1}}}},
                               box{{{{0, 3}}, {{3, 1}}}}};
  distributed from;
  for (box const& part : boxes) {
    from.where.push_back(part_of(whole, part));
    from.values.push_back(local_of(whole.shape, all, part));
  }
  CHECK(run(from.where, from.values, {whole, whole, whole}) == std::vector<numbers>(3, all));
  std::vector<holding> has;
  for (stored_tensor const& each : from.where) has.push_back({static_cast<int>(has.size()), 0, &each});
  holding const wants{0, 0, &whole};
  index_t moved = 0;
  for (copy_step const& step : reshard(has, std::span{&wants, 1})) moved += step.move.count();
  CHECK(moved == 30);
}

TEST_CASE("reshard: what nobody holds, and parameters that are not one, are refused") {
  stored_tensor const whole = whole_tensor("t", {6, 5}), other = whole_tensor("u", {6, 5, 1});
  stored_tensor const part = part_of(whole, box{{{{0, 6}}, {{0, 2}, {3, 2}}}});
  auto const attempt = [](stored_tensor const& from, stored_tensor const& to) {
    holding const has{0, 0, &from}, wants{1, 0, &to};
    return kind_from([&] { (void)reshard(std::span{&has, 1}, std::span{&wants, 1}); });
  };
  CHECK(attempt(part, whole) == "shape");
  CHECK(attempt(whole, part) == "none");
  CHECK(attempt(other, whole) == "shape");
  CHECK(attempt(part_of(whole, box{{{{0, 0}}, {{0, 5}}}}), part_of(whole, box{{{{0, 6}}, {{2, 0}}}})) == "none");
  try {
    holding const has{0, 0, &part}, wants{1, 0, &whole};
    (void)reshard(std::span{&has, 1}, std::span{&wants, 1});
  } catch (heddle::error const& failure) {
    CHECK(failure.text().find("[0, 6) x [2, 3)") != std::string::npos);
    CHECK(failure.text().find("rank 1") != std::string::npos);
  }
}
