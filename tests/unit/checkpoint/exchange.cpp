// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/exchange.hpp>

#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <mutex>

#include "expert_numbers.hpp"
#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::box;
using gate_up = heddle::both<heddle::grouped_gemm<heddle::ep>, heddle::packed_colwise<heddle::etp>>;
using numbers = std::vector<float>;

/// The part of `whole` on each rank of a grid; ranks beyond it hold nothing.
std::vector<stored_tensor> parts(stored_tensor const& whole, heddle::expert_mesh const& grid, int world) {
  std::vector<stored_tensor> result;
  for (int rank = 0; rank < world; ++rank) {
    box part = rank < grid.world() ? heddle::shard_weight<gate_up>(whole.shape, grid, rank)
                                   : box{{{{0, 0}}, {{0, 0}}, {{0, 0}}}};
    result.push_back(part_of(whole, part));
  }
  return result;
}
/// What a rank holds of a merged FC1 of halves, straight from the definition.
numbers expected(expert_sizes const& s, stored_tensor const& tensor) {
  numbers values(static_cast<std::size_t>(tensor.count()));
  for (piece const& each : tensor.pieces) {
    for (index_t e = 0; e < each.lanes[0].items.size; ++e) {
      for (index_t row = 0; row < each.lanes[2].items.size; ++row) {
        for (index_t c = 0; c < s.hidden; ++c) {
          index_t const at = ((each.at[0] + e) * tensor.shape[1] + each.at[1] + row) * tensor.shape[2] + c;
          values[static_cast<std::size_t>(at)] = fc1_number(s, each.lanes[0].items.begin + e, each.lanes[1].items.begin,
                                                            each.lanes[2].items.begin + row, c);
        }
      }
    }
  }
  return values;
}
std::vector<holding> holdings(std::vector<stored_tensor> const& tensors) {
  std::vector<holding> result;
  for (stored_tensor const& each : tensors) result.push_back({static_cast<int>(result.size()), 0, &each});
  return result;
}

}  // namespace

TEST_CASE("exchange: every pair of meshes of 1, 2, 4 and 8 ranks, between threads, bit for bit") {
  expert_sizes const s{5, 3, 2};
  stored_tensor const whole = merged_fc1("t", s);
  std::vector<heddle::expert_mesh> grids;
  for (int world : {1, 2, 4, 8}) {
    for (int etp = 1; etp <= world; etp *= 2) {
      for (int ep = 1; etp * ep <= world; ep *= 2) grids.emplace_back(etp, ep, world / etp / ep);
    }
  }
  heddle::host::thread_world world{8};
  int wrong = 0;
  std::mutex one_at_a_time;
  heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
    auto const me = static_cast<std::size_t>(group.rank());
    for (auto const& before : grids) {
      auto const from = parts(whole, before, 8);
      numbers const mine = expected(s, from[me]);
      for (auto const& after : grids) {
        auto const to = parts(whole, after, 8);
        numbers got(static_cast<std::size_t>(to[me].count()), 0.0F);
        std::span<float const> const has{mine};
        std::span<float> const gets{got};
        exchange<float>(group, reshard(holdings(from), holdings(to)), std::span{&has, 1}, std::span{&gets, 1});
        if (got != expected(s, to[me])) {
          std::lock_guard const lock{one_at_a_time};
          ++wrong;
        }
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(grids.size() == 20);
}

TEST_CASE("exchange: one rank, several tensors, any element") {
  heddle::host::self_communicator group;
  expert_sizes const s{3, 4, 2};
  auto const from = hugging_face_split("a.", s).fc1;
  stored_tensor const to = merged_fc1("b", s, {.block = 1});
  std::vector<numbers> values;
  for (index_t e = 0; e < 3; ++e) {
    for (index_t half : {0, 1}) values.push_back(fc1_values(s, e, half, 1));
  }
  std::vector<std::span<float const>> has(values.begin(), values.end());
  std::vector<holding> holders;
  for (std::size_t i = 0; i < from.size(); ++i) holders.push_back({0, i, &from[i]});
  holding const wants{0, 0, &to};
  auto const plan = reshard(holders, std::span{&wants, 1});
  numbers got(48);
  std::span<float> gets{got};
  exchange<float>(group, plan, has, std::span{&gets, 1});
  CHECK(got == merged_fc1_values(s, {.block = 1}));

  std::array<bool, 4> const flags{true, false, true, true};
  std::array<bool, 2> chosen{};
  std::span<bool const> const flags_of{flags};
  std::span<bool> const chosen_of{chosen};
  copy_step const step{0, 0, 0, 0, region{1, 0, {{2, 2, 1}}}};
  exchange<bool>(group, std::span{&step, 1}, std::span{&flags_of, 1}, std::span{&chosen_of, 1});
  CHECK(chosen == std::array<bool, 2>{false, true});
}

TEST_CASE("exchange: tensors that the plan was not made for are refused on every rank, before anything moves") {
  heddle::host::thread_world world{2};
  std::array<std::string, 2> kinds;
  for (int mistake = 0; mistake < 5; ++mistake) {
    heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
      int const me = group.rank();
      numbers const mine(mistake == 0 && me == 0 ? 3 : 4, 1.0F);
      numbers got(mistake == 1 && me == 1 ? 3 : 4, 0.0F);
      std::span<float const> const has{mine};
      std::span<float> const gets{got};
      copy_step step{0, 1, 0, 0, region{0, 0, {{4, 1, 1}}}};
      if (mistake == 2) step.from_tensor = 1;
      if (mistake == 3) step.to_tensor = 1;
      if (mistake == 4) step.to_rank = 2;
      kinds[static_cast<std::size_t>(me)] = kind_from([&] {
        exchange<float>(group, std::span{&step, 1}, std::span{&has, 1}, std::span{&gets, 1});
      });
      CHECK(got == numbers(got.size(), 0.0F));
    });
    int const culprit = mistake == 1 || mistake == 3 ? 1 : 0;
    CHECK(kinds[static_cast<std::size_t>(culprit)] == (mistake == 4 ? "argument" : "workspace"));
    CHECK(kinds[static_cast<std::size_t>(1 - culprit)] == (mistake == 4 ? "argument" : "peer_failed"));
  }
}
