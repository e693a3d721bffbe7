// SPDX-License-Identifier: Apache-2.0
// Embedding, norm and MLA styles, and layers of several styles, against the dense result.
#include "../support/style_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

void check(outcome const& found, double tolerance = 1e-5) {
  CHECK(found.problem == "");
  CHECK(found.difference <= tolerance);
}

}  // namespace

TEST_CASE("embedding_rowwise and embedding_colwise, to every rank and to parts") {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (embedding_case const c : {embedding_case{ranks, 9, 10, 6},
                                   {ranks, 3, 5, 1},
                                   {ranks, 0, 10, 6},
                                   {ranks, 1, 1, 3},
                                   {ranks, 40, 37, 21}}) {
      CAPTURE(ranks);
      CAPTURE(c.tokens);
      check(try_embedding<embedding_rowwise<tp>>(c, lies::whole), 0);
      check(try_embedding<embedding_rowwise<tp, sharded<tokens>>>(c, lies::by_tokens), 0);
      check(try_embedding<embedding_colwise<tp>>(c, lies::whole), 0);
      check(try_embedding<embedding_colwise<tp, sharded<hidden>>>(c, lies::by_features), 0);
    }
  }
}

TEST_CASE("sequence_parallel keeps tokens where they are and sends nothing") {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (index_t const height : {7, 0, 1, 16}) {
      check(try_norm<sequence_parallel<tp>>({ranks, height, 4, 5}, lies::by_tokens, false));
      check(try_norm<replicated_norm>({ranks, height, 4, 5}, lies::whole, false));
    }
  }
  on_ranks<tp>(tp_mesh{4}, 1, [&](tp_tools& tools) {
    std::vector<float> const x(12, 1.5F);
    std::vector<float> const w(4, 2.0F);
    index_t const before = tools.groups.get<tp>().bytes_sent();
    static_cast<void>(
        infer<sequence_parallel<tp>>(tools.execution, norm_weight<float>{vector_of(w), 0}, rows_of(x, 3, 4)));
    CHECK(tools.groups.get<tp>().bytes_sent() == before);
  });
}

TEST_CASE("replicated_with_grad_allreduce normalises head by head, heads being cut") {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (index_t const height : {7, 0, 2}) {
      check(try_norm<replicated_with_grad_allreduce<tp>>({ranks, height, 2 * ranks, 5}, lies::by_features, true));
    }
  }
}

TEST_CASE("weights that every rank has, on values that ranks have in part, need their gradient summed over the group") {
  using summed = type_list<placement<on<tp, partial>>>;
  using whole = type_list<placement<>>;
  CHECK(std::same_as<parameter_gradients_t<sequence_parallel<tp>::forward>, summed>);
  CHECK(std::same_as<parameter_gradients_t<replicated_with_grad_allreduce<tp>::forward>, summed>);
  CHECK(std::same_as<parameter_gradients_t<replicated_norm::forward>, whole>);
}

TEST_CASE("mla_kv_a_proj gives the latent and the rope part to every rank") {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (auto const& sizes : {std::array<index_t, 3>{5, 6, 3}, {0, 6, 3}, {4, 1, 1}, {3, 0, 4}, {3, 4, 0}}) {
      CAPTURE(ranks);
      for (bool const bias : {false, true}) {
        check(try_mla<mla_kv_a_proj<tp>>({ranks, sizes[0], sizes[1], sizes[2], bias}));
      }
    }
  }
}

namespace {

/// gate|up, silu(gate) * up, down; biases everywhere; `Layer` may have a norm in front.
template <class Layer, bool Norm, class GateUp, class Down>
outcome try_mlp(int ranks, index_t height, index_t width, index_t inner, lies where) {
  tensor const x = distinct({height, width}, 1);
  tensor const scale = distinct({width}, 2);
  tensor const w1 = distinct({2 * inner, width}, 3);
  tensor const b1 = distinct({2 * inner}, 4);
  tensor const w2 = distinct({width, inner}, 5);
  tensor const b2 = distinct({width}, 6);
  tensor const entered = Norm ? rms_norm(x, scale, 1e-6) : x;
  tensor const y = multiply(gated_unit(multiply(entered, w1, &b1)), w2, &b2);
  judgement judge;
  return judge.run<tp>(tp_mesh{ranks}, 1, [&](tp_tools& tools) {
    box const own_x = part_of(where, x.shape, ranks, tools.rank);
    box const box1 = shard_weight<GateUp>(w1.shape, tools.grid, tools.rank);
    box const box2 = shard_weight<Down>(w2.shape, tools.grid, tools.rank);
    auto const local_x = cut<float>(x, own_x);
    auto const local_scale = all_of<float>(scale);
    auto const l1 = cut<float>(w1, box1);
    auto const l2 = cut<float>(w2, box2);
    auto const c1 = cut<float>(b1, shard_bias<GateUp>(b1.shape, tools.grid, tools.rank));
    auto const c2 = cut<float>(b2, shard_bias<Down>(b2.shape, tools.grid, tools.rank));
    heddle::linear<float> const up{matrix_of(l1, box1.shape()[0], width), 2 * inner, width, vector_of(c1)};
    heddle::linear<float> const down{matrix_of(l2, width, box2.shape()[1]), width, inner, vector_of(c2)};
    auto const weights = [&] {
      if constexpr (Norm) return std::tuple{norm_weight<float>{vector_of(local_scale)}, up, down};
      else return std::tuple{up, down};
    }();
    auto const out = infer<Layer>(tools.execution, weights, rows_of(local_x, own_x.shape()[0], width));
    judge.compare(tools.rank, out.data, y, own_x);
  });
}

}  // namespace

TEST_CASE("a dense MLP, whole and with tokens in parts behind its norm") {
  using up = packed_colwise<tp>;
  using down = rowwise<tp>;
  using up_from_parts = packed_colwise<tp, two_segments, sharded<tokens>>;
  using down_to_parts = rowwise<tp, sharded<tokens>>;
  using mlp = layer<up, gated<tp>, down>;
  using block = layer<sequence_parallel<tp>, up_from_parts, gated<tp>, down_to_parts>;
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (auto const& sizes : {std::array<index_t, 3>{5, 6, 7}, {0, 6, 7}, {2, 3, 1}, {19, 12, 16}}) {
      index_t const height = sizes[0];
      index_t const width = sizes[1];
      index_t const inner = sizes[2];
      CAPTURE(ranks);
      CAPTURE(height);
      check(try_mlp<mlp, false, up, down>(ranks, height, width, inner, lies::whole), 3e-5);
      check(try_mlp<block, true, up_from_parts, down_to_parts>(ranks, height, width, inner, lies::by_tokens), 3e-5);
    }
  }
}
