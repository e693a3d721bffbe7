// SPDX-License-Identifier: Apache-2.0
// Embedding, norm and MLA styles, and layers of several styles, backward against the dense gradients.
#include "../support/backward_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/layer.hpp>

using namespace heddle;
using namespace support;

namespace {

constexpr int worlds[] = {1, 2, 3, 4, 6, 8};

void check(outcome const& found, double tolerance = 1e-10) {
  CHECK(found.problem == "");
  CHECK(found.difference <= tolerance);
}

}  // namespace

TEST_CASE("embedding_rowwise and embedding_colwise backward, from every rank and from parts") {
  for (int const ranks : worlds) {
    for (embedding_case const c : {embedding_case{ranks, 9, 10, 6}, {ranks, 3, 5, 1}, {ranks, 0, 10, 6}}) {
      CAPTURE(ranks);
      CAPTURE(c.tokens);
      check(back_embedding<embedding_rowwise<tp>>(c, lies::whole));
      check(back_embedding<embedding_rowwise<tp, sharded<tokens>>>(c, lies::by_tokens));
      check(back_embedding<embedding_colwise<tp>>(c, lies::whole));
      check(back_embedding<embedding_colwise<tp, sharded<hidden>>>(c, lies::by_features));
    }
  }
}

TEST_CASE("norms backward: whole, tokens in parts, heads in parts") {
  for (int const ranks : worlds) {
    for (index_t const height : {7, 0, 1}) {
      CAPTURE(ranks);
      CAPTURE(height);
      check(back_norm<replicated_norm>({ranks, height, 4, 5}, lies::whole, false));
      check(back_norm<sequence_parallel<tp>>({ranks, height, 4, 5}, lies::by_tokens, false));
      check(back_norm<replicated_with_grad_allreduce<tp>>({ranks, height, 2 * ranks, 5}, lies::by_features, true));
    }
  }
}

TEST_CASE("mla_kv_a_proj backward: the rope part comes back in summands") {
  for (int const ranks : worlds) {
    for (auto const& sizes : {std::array<index_t, 3>{5, 6, 3}, {0, 6, 3}, {3, 0, 4}, {3, 4, 0}}) {
      CAPTURE(ranks);
      for (bool const bias : {false, true})
        check(back_mla<mla_kv_a_proj<tp>>({ranks, sizes[0], sizes[1], sizes[2], bias}));
    }
  }
}

TEST_CASE("styles backward in float") {
  check(back_norm<sequence_parallel<tp>, float>({3, 7, 4, 5}, lies::by_tokens, false), 1e-5);
  check(back_embedding<embedding_rowwise<tp>, float>({3, 9, 10, 6}, lies::whole), 1e-6);
  check(back_mla<mla_kv_a_proj<tp>, float>({3, 5, 6, 3}), 1e-5);
  check(back_linear<packed_colwise<tp>, float>({3, 5, 10, 14}, lies::whole, lies::by_packed_features), 1e-5);
  check(back_linear<rowwise<tp, sharded<tokens>>, float>({4, 9, 10, 14}, lies::by_features, lies::by_tokens), 1e-5);
}

namespace {

/// The gradients of a norm, where `Layer` begins with one, and a gated MLP with biases.
template <class Layer, bool Norm, class GateUp, class Down, class T>
outcome back_mlp(int ranks, index_t height, index_t width, index_t inner, lies where) {
  tensor const x = rounded<T>(distinct({height, width}, 1, 2));
  tensor const scale = rounded<T>(distinct({width}, 2));
  tensor const w1 = rounded<T>(distinct({2 * inner, width}, 3));
  tensor const b1 = rounded<T>(distinct({2 * inner}, 4));
  tensor const w2 = rounded<T>(distinct({width, inner}, 5));
  tensor const b2 = rounded<T>(distinct({width}, 6));
  tensor const dy = rounded<T>(distinct({height, width}, 7));
  double const epsilon = static_cast<double>(1e-6F);
  tensor const normed = Norm ? rms_norm(x, scale, epsilon) : x;
  tensor const up = multiply(normed, w1, &b1);
  linear_back const down_back = multiply_back(gated_unit(up), w2, dy);
  linear_back const up_back = multiply_back(normed, w1, gated_unit_back(up, down_back.x));
  norm_back const first = rms_norm_back(x, scale, epsilon, up_back.x);
  tp_mesh const grid{ranks};
  gradient_judge judge;
  run_judged<tp>(judge, grid, 1, [&](tp_tools& tools) {
    box const own_x = part_of(where, x.shape, ranks, tools.rank);
    box const own[] = {shard_weight<GateUp>(w1.shape, grid, tools.rank), shard_bias<GateUp>(b1.shape, grid, tools.rank),
                       shard_weight<Down>(w2.shape, grid, tools.rank), shard_bias<Down>(b2.shape, grid, tools.rank)};
    auto const local_x = cut<T>(x, own_x);
    auto const local_dy = cut<T>(dy, own_x);
    auto const local_scale = all_of<T>(scale);
    auto const l1 = cut<T>(w1, own[0]);
    auto const c1 = cut<T>(b1, own[1]);
    auto const l2 = cut<T>(w2, own[2]);
    auto const c2 = cut<T>(b2, own[3]);
    heddle::linear<T> const gate_up{matrix_of(l1, own[0].shape()[0], width), 2 * inner, width, vector_of(c1)};
    heddle::linear<T> const down{matrix_of(l2, width, own[2].shape()[1]), width, inner, vector_of(c2)};
    auto const weights = [&] {
      if constexpr (Norm) return std::tuple{norm_weight<T>{vector_of(local_scale)}, gate_up, down};
      else return std::tuple{gate_up, down};
    }();
    auto const got = every_way_of_layer<Layer>(tools, judge, weights, rows_of(local_x, own_x.shape()[0], width),
                                               rows_of(local_dy, own_x.shape()[0], width));
    judge.compare("x", got.dx[0], Norm ? first.x : up_back.x, own_x);
    std::size_t next = 0;
    if (Norm) judge.give(next++, {tools.rank, got.gradients[0], box::all(scale.shape)});
    for (box const& part : own) {
      judge.give(next, {tools.rank, got.gradients[next], part});
      ++next;
    }
  });
  std::vector<std::pair<std::string, tensor>> dense{
      {"fc1", up_back.w}, {"fc1 bias", up_back.b}, {"fc2", down_back.w}, {"fc2 bias", down_back.b}};
  if (Norm) dense.insert(dense.begin(), {"norm", first.w});
  reduce_all<typename Layer::gradients>(judge, grid, dense);
  return judge.found();
}

}  // namespace

TEST_CASE("a dense MLP backward, whole and with tokens in parts behind its norm") {
  using up = packed_colwise<tp>;
  using down = rowwise<tp>;
  using up_from_parts = packed_colwise<tp, two_segments, sharded<tokens>>;
  using down_to_parts = rowwise<tp, sharded<tokens>>;
  using mlp = layer<up, gated<tp>, down>;
  using block = layer<sequence_parallel<tp>, up_from_parts, gated<tp>, down_to_parts>;
  for (int const ranks : worlds) {
    for (auto const& sizes : {std::array<index_t, 3>{5, 6, 7}, {0, 6, 7}, {2, 3, 1}, {19, 12, 16}}) {
      index_t const height = sizes[0];
      CAPTURE(ranks);
      CAPTURE(height);
      check(back_mlp<mlp, false, up, down, double>(ranks, height, sizes[1], sizes[2], lies::whole));
      check(back_mlp<block, true, up_from_parts, down_to_parts, double>(ranks, height, sizes[1], sizes[2],
                                                                        lies::by_tokens));
    }
  }
  check(back_mlp<mlp, false, up, down, float>(3, 5, 6, 7, lies::whole), 2e-5);
}
