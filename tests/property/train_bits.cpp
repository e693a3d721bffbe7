// SPDX-License-Identifier: Apache-2.0
// Bits: what must not depend on where things are computed. Output, choices, weights and the gradient of hidden are the
// same for every dispatcher that brings copies home, every ep, number of ranks and threads at one etp; parameter
// gradients and losses are the same from run to run on one mesh.
#include "../support/train_draw.hpp"

#include <doctest/doctest.h>

using heddle::index_t;
using train::member;

namespace {

/// A layer large enough for the products to have blocks, and for ranks to have different numbers of everything.
member large(int expert, bool wide, bool losses) {
  member of{.expert = expert, .wide = wide};
  train::expert_member const is = of.is();
  oracle::sizes const sizes{.tokens = 37,
                            .hidden = 21,
                            .experts = 7,
                            .width = 18,
                            .shared = 12,
                            .router_bias = true,
                            .expert_bias = true,
                            .biases = is.has.bias,
                            .shared_expert = losses,
                            .shared_gate = train::shared_is_gated(is.family),
                            .padding = true};
  oracle::settings settings{.top_k = 3, .score = oracle::score_kind::sigmoid, .normalize = true, .scale = 1.5};
  settings.activation = of.activation().kind;
  settings.weight_at_input = is.at == heddle::weight_at::input;
  if (losses) settings.aux_loss_coeff = settings.z_loss_coeff = 0.5;
  for (;;) {
    of.layer = oracle::filled(sizes, settings, ++of.seed);
    oracle::result const is_clear = oracle::run_layer(of.layer);
    if (is_clear.margin >= 1e-5 && is_clear.kink >= 1e-5) return of;
  }
}

/// The same layer on a mesh; tokens in chunks that are even, or of any size.
member on_mesh(member of, int ranks, int ep, int etp, bool even = true) {
  of.ranks = ranks;
  of.ep = ep;
  of.etp = etp;
  index_t const tokens = of.layer.tokens();
  int const chunks = of.everywhere() ? ranks / ep / etp : ranks;
  of.cuts = {0};
  for (int c = 1; c < chunks; ++c) of.cuts.push_back(even ? tokens * c / chunks : tokens * (c % 3) / 3);
  of.cuts.push_back(tokens);
  std::sort(of.cuts.begin(), of.cuts.end());
  return of;
}

constexpr int copies_home[] = {2, 3, 6};  // all_to_all, plain and aligned, and direct

/// Every mesh with this etp, dispatcher and number of threads, against one rank of ep.
void same_everywhere(member const& layer, int etp) {
  member alone = on_mesh(layer, etp, 1, etp);
  train::outcome const model = train::run(alone);
  CHECK(train::difference(model, train::expected(alone), layer.wide ? 1e-10 : 2e-5) == "");
  int turn = 0;
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (int ep = 1; ep * etp <= ranks; ++ep) {
      if (ranks % (ep * etp) != 0) continue;
      for (int const dispatcher : copies_home) {
        member of = on_mesh(layer, ranks, ep, etp, turn % 2 == 0);
        of.dispatcher = dispatcher;
        of.threads = 1 << turn % 3;
        of.delayed = turn % 4 < 2;
        ++turn;
        CAPTURE(of.text());
        CHECK(train::other_bits(train::run(of), model, {"output", "indices", "weights", "grad.hidden"}) == "");
      }
    }
  }
}

/// One mesh, over and over: everything has the same bits.
void same_every_time(member const& of, int times) {
  CAPTURE(of.text());
  train::outcome const model = train::run(of);
  CHECK(train::difference(model, train::expected(of), of.wide ? 1e-10 : 2e-5) == "");
  for (int i = 1; i < times; ++i) {
    member again = of;
    again.threads = 1 << i % 3;
    CHECK(train::other_bits(train::run(again), model) == "");
  }
}

}  // namespace

TEST_CASE("f32 in tiles: the bits do not depend on ep, ranks, threads or dispatcher, wherever the weight is") {
  for (int const expert : {0, 21, 42, 63}) {
    member layer = large(expert, false, false);
    layer.tiles = true;
    for (int const etp : {1, 2, 3}) same_everywhere(layer, etp);
  }
}
TEST_CASE("f32 and f64 by the reference") {
  same_everywhere(large(13, false, false), 1);
  same_everywhere(large(34, false, false), 2);
  same_everywhere(large(55, true, false), 1);
  same_everywhere(large(4, true, false), 2);
}
TEST_CASE("parameter gradients, losses and all else have the same bits time and again, by every dispatcher") {
  for (int dispatcher = 0; dispatcher < train::dispatchers; ++dispatcher) {
    bool const everywhere = member{.dispatcher = dispatcher}.everywhere();  // takes no losses of tokens that are dealt
    member layer = large(6 * dispatcher, dispatcher % 3 == 0, !everywhere);
    layer.dispatcher = dispatcher;
    member of = on_mesh(layer, 8, 2, 2);
    of.tiles = dispatcher % 2 == 0;
    same_every_time(of, 20);
  }
  member of = on_mesh(large(30, false, true), 4, 2, 1, false);
  of.tiles = true;
  same_every_time(of, 100);
}
