// SPDX-License-Identifier: Apache-2.0
// Parameters shared out between processes (FSDP), with whole copies beside (HSDP): gathered before use, their gradients
// scattered, to the bits that threads give.
#include <heddle/mpi/run.hpp>

#include "../../support/process_step.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/layer/fsdp_layer.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/shard.hpp>

using namespace heddle;
using namespace support;

namespace {

using fc1_style = packed_colwise<tp>;
using fc2_style = rowwise<tp>;
using mlp = fsdp_layer<dp, fc1_style, gated<tp>, fc2_style>;
using dense_grid = mesh<tp, dp, replica>;

/// Two micro-batches, whose gradients are reduced once.
struct dense_step {
  dense_grid grid;
  index_t tokens_of_all, width, ffn;

  template <class Communicator>
  findings operator()(Communicator& world) const {
    using groups_type = mesh_groups<Communicator, tp, dp, replica>;
    groups_type groups{world, grid};
    host::reference_gemm gemm;
    host::workspace scratch;
    host::execution<host::reference_gemm, groups_type> execution{gemm, groups, scratch};
    int const rank = world.rank();
    auto const part_of = [&]<class Style>(std::type_identity<Style>, shape_t const& shape) {
      return shard_weight<fsdp<Style, dp>>(shape, grid, rank);
    };
    shape_t const up_shape{2 * ffn, width}, down_shape{width, ffn};
    box const own_up = part_of(std::type_identity<fc1_style>{}, up_shape);
    box const own_down = part_of(std::type_identity<fc2_style>{}, down_shape);
    auto const up = cut<float>(distinct(up_shape, 1), own_up);
    auto const down = cut<float>(distinct(down_shape, 2), own_down);
    auto const bias = cut<float>(distinct({width}, 3), shard_bias<fsdp<fc2_style, dp>>({width}, grid, rank));
    linear<float> const first{
        .weight = matrix_of(up, own_up.shape()[0], own_up.shape()[1]), .full_out = 2 * ffn, .full_in = width};
    linear<float> second{
        .weight = matrix_of(down, own_down.shape()[0], own_down.shape()[1]), .full_out = width, .full_in = ffn};
    second.bias = vector_of(bias);
    std::tuple const weights{first, second};
    findings found;
    host::workspace::scope const whole_step{scratch};
    auto const gradients = zero_gradients(execution, weights);
    for (std::uint64_t batch = 0; batch < 2; ++batch) {
      host::workspace::scope const one_batch{scratch};
      box part = box::all({tokens_of_all, width});
      part.cut<balanced>(0, grid.size<replica>(), grid.coordinate<replica>(rank));
      part.cut<balanced>(0, grid.size<dp>(), grid.coordinate<dp>(rank));
      auto const x = cut<float>(distinct({tokens_of_all, width}, 10 + batch), part);
      auto const dy = cut<float>(distinct({tokens_of_all, width}, 20 + batch), part);
      auto const [y, saved] = forward<mlp>(execution, weights, rows_of(x, part.shape()[0], width));
      auto const back = backward<mlp>(execution, weights, saved, rows_of(dy, part.shape()[0], width), gradients);
      found.put("output", y.data);
      found.put("gradient of tokens", back.dx.data);
    }
    using over_data = placement<dealt_on<replica>, dealt_on<dp>>;
    reduce_gradients<sum, mlp, over_data>(execution, gradients);
    gradient_norm<norm_2, tp, dp> norm;
    norm.add<mlp>(execution, gradients);
    found.put("norm", norm.over(execution));
    found.put("up", std::get<0>(gradients).weight);
    found.put("down", std::get<1>(gradients).weight);
    found.put("bias", std::get<1>(gradients).bias);
    return found;
  }
};

/// Every way to lay `world` ranks out over tp, dp and replica.
std::vector<dense_grid> dense_grids(int world) {
  std::vector<dense_grid> all;
  for (int t = 1; t <= world; ++t) {
    for (int d = 1; t * d <= world; ++d) {
      if (world % (t * d) == 0) all.emplace_back(t, d, world / t / d);
    }
  }
  return all;
}

using plain = glu_expert<sequential, silu, halves, expert_options{.bias = true}>;
template <class Shards, class When>
using layer_of = on_expert_grid<expert_parallel<fsdp_router<normalised_top_2, expert_ranks>, all_to_all_dispatcher<>,
                                                fsdp_expert<plain, edp, When, Shards>, weight_at::output>,
                                torchtitan_dense, torchtitan_experts>;

template <class Shards, class When>
void check_experts(oracle::sizes const& of) {
  using step = process_step<layer_of<Shards, When>, shared_parameters<plain, Shards>, on_torchtitan, float,
                            weight_pass::at_once, placement<dealt_on<replica>>, type_list<etp, ep, edp, replica>>;
  auto const layer = oracle::filled(of, {.top_k = 2, .normalize = true}, 33);
  int const ranks = test_world().size();
  for (int copies = 1; copies <= ranks; ++copies) {
    if (ranks % copies != 0) continue;
    int const shard = ranks / copies;
    for (int experts = 1; experts <= shard; ++experts) {
      if (shard % experts != 0) continue;
      int const inside = shard % 2 == 0 && copies == 1 ? 2 : 1;  // tensor parallel ranks of the dense grid
      CAPTURE(copies);
      CAPTURE(experts);
      auto const grid = torchtitan_grids({.tp = inside, .shard = shard / inside, .replicate = copies, .ep = experts});
      CHECK(unlike_threads(test_world(), step{layer, grid}) == "");
    }
  }
}

}  // namespace

TEST_CASE("a dense layer shared out") {
  for (dense_grid const& grid : dense_grids(test_world().size())) {
    CAPTURE(grid.size<tp>());
    CAPTURE(grid.size<dp>());
    CHECK(unlike_threads(test_world(), dense_step{grid, 11, 5, 7}) == "");
  }
  dense_grid const all_dp{1, test_world().size(), 1};
  CHECK(unlike_threads(test_world(), dense_step{all_dp, 3, 6, 2}) == "");
  CHECK(unlike_threads(test_world(), dense_step{all_dp, 0, 3, 1}) == "");
}
TEST_CASE("experts shared out by number") {
  check_experts<by_experts, gather_again>({.tokens = 13, .hidden = 5, .experts = 5, .width = 3, .biases = true});
}
TEST_CASE("experts shared out by rows, where ranks outnumber experts") {
  check_experts<by_rows_of_experts, keep_gathered>(
      {.tokens = 13, .hidden = 5, .experts = 2, .width = 7, .biases = true});
}
