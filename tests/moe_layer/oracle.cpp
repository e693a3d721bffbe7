// SPDX-License-Identifier: Apache-2.0
// moe_layer, started as a user does, against the oracle: every policy on some meshes, and random layers on random ones.
#include "../support/oracle_draw.hpp"

#include "judge.hpp"
#include "process.hpp"

#include <doctest/doctest.h>

namespace {

using heddle::dtype;
using oracle::at;
using oracle::index_t;
using process::scratch;

constexpr char const* dispatchers[] = {"masked", "all_gather", "all_to_all", "all_to_all_dedup", "flex", "direct"};
constexpr char const* experts[] = {"sequential", "grouped", "aligned"};
constexpr char const* places[] = {"activation", "output", "origin"};

struct mesh {
  int ranks, ep, etp;
};
/// Every W, B, C with B * C dividing W.
std::vector<mesh> all_meshes() {
  std::vector<mesh> all;
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (int ep = 1; ep <= ranks; ++ep) {
      for (int etp = 1; ep * etp <= ranks; ++etp) {
        if (ranks % (ep * etp) == 0) all.push_back({ranks, ep, etp});
      }
    }
  }
  return all;
}
std::string text_of(mesh const& on) {
  return "--ranks " + std::to_string(on.ranks) + " --ep " + std::to_string(on.ep) + " --etp " + std::to_string(on.etp);
}

/// Runs the probe and compares; on success nothing is said. `config` says the layer's settings in other words.
void agrees(oracle::layer of, dtype type, mesh const& on, std::string const& policies,
            std::optional<std::string> const& config = {}) {
  if (type == dtype::f32) of = process::in_float(of);
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  std::string const out = folder.file("out.safetensors");
  process::input from{of, type};
  if (config) from.config = config;
  from.write(in);
  std::string const arguments = text_of(on) + " " + policies + (of.is.weight_at_input ? " --weight-at input" : "");
  CAPTURE(arguments);
  CAPTURE(oracle::config_text(of.is));
  CAPTURE(of.tokens());
  process::result const done = process::moe_layer("--in " + in + " --out " + out + " " + arguments);
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.err.empty());
  CHECK(judge::complaint(out, of, oracle::measured_layer(of, on.ranks), type) == "");
}

/// A layer whose decisions on so many ranks are clear enough for `type`.
oracle::layer clear_layer(oracle::dice& with, dtype type, int ranks) {
  for (;;) {
    oracle::sizes const sizes = oracle::drawn_sizes(with);
    oracle::settings const is = oracle::drawn_settings(with, sizes);
    oracle::layer of = oracle::filled(sizes, is, with.seed());
    if (type == dtype::f64) return of;
    oracle::result const done = oracle::run_layer(process::in_float(of), ranks);
    if (done.margin >= 1e-5 && done.kink >= 1e-5) return of;
  }
}

template <std::size_t Count>
std::string one_of(oracle::dice& with, char const* const (&names)[Count]) {
  return names[at(with.roll(Count))];
}

std::string drawn_policies(oracle::dice& with, oracle::settings const& is) {
  return "--dispatcher " + one_of(with, dispatchers) + " --expert " + one_of(with, experts) +
         (is.weight_at_input ? "" : " --weight-at " + one_of(with, places)) + (with.one_in(2) ? " --recompute" : "") +
         (with.one_in(2) ? " --delay-wgrad" : "");
}

}  // namespace

TEST_CASE("every dispatcher with every place of the weight, on a mesh with all three groups") {
  oracle::sizes const sizes{.tokens = 11, .hidden = 6, .experts = 5, .width = 3, .biases = true};
  for (char const* const dispatcher : dispatchers) {
    for (bool const input : {false, true}) {
      oracle::layer const of = oracle::filled(sizes, {.top_k = 3, .normalize = true, .weight_at_input = input}, 21);
      for (char const* const place : places) {
        if (input && place != places[0]) continue;
        std::string const at = input ? "" : std::string{" --weight-at "} + place;
        agrees(of, dtype::f64, {8, 2, 2}, std::string{"--dispatcher "} + dispatcher + at);
      }
    }
  }
}

TEST_CASE("every expert with every activation and layout, and the shared one") {
  for (int kind = 0; kind < 7; ++kind) {
    for (bool const interleaved : {false, true}) {
      auto const activation = static_cast<oracle::activation_kind>(kind);
      if (interleaved && !oracle::gated(activation)) continue;
      oracle::sizes const sizes{.tokens = 9,
                                .experts = 4,
                                .width = 5,
                                .shared = 3,
                                .biases = interleaved,
                                .shared_expert = true,
                                .shared_gate = !interleaved};
      oracle::layer const of =
          oracle::filled(sizes, {.top_k = 2, .activation = activation, .interleaved = interleaved}, 22);
      for (char const* const expert : experts) agrees(of, dtype::f64, {4, 2, 2}, std::string{"--expert "} + expert);
    }
  }
}

TEST_CASE("every expert, its activation computed again or its weight gradients delayed") {
  oracle::sizes const sizes{.tokens = 9, .experts = 4, .width = 5, .biases = true};
  for (char const* const expert : experts) {
    for (char const* const more : {"", " --recompute", " --delay-wgrad", " --recompute --delay-wgrad"})
      agrees(oracle::filled(sizes, {.top_k = 2}, 22), dtype::f64, {4, 2, 2}, std::string{"--expert "} + expert + more);
  }
}

TEST_CASE("one bias of two, and a router that sees no token") {
  oracle::layer of = oracle::filled({.tokens = 5, .biases = true}, {.top_k = 2}, 24);
  of.tensors.erase("down_bias");
  agrees(of, dtype::f64, {2, 2, 1}, "");
  of.tensors["down_bias"] = oracle::zeros({4, 5});
  of.tensors.erase("gate_up_bias");
  agrees(of, dtype::f64, {2, 1, 2}, "");
  of.padding.assign(5, true);
  of.is.aux_loss_coeff = of.is.z_loss_coeff = of.is.capacity_factor = 1;
  agrees(of, dtype::f64, {2, 2, 1}, "");
}

TEST_CASE("groups that all stay are as none, however small and many") {
  oracle::layer const of = oracle::filled({.tokens = 5, .experts = 40}, {.top_k = 3}, 25);
  agrees(of, dtype::f64, {2, 2, 1}, "", R"({"top_k": 3, "groups": 40})");
  agrees(of, dtype::f64, {2, 2, 1}, "", R"({"top_k": 3, "groups": 40, "groups_kept": 40, "group_score": "max"})");
}

TEST_CASE("a capacity beyond every count drops nothing") {
  for (double const factor : {1e6, 1e18, 1e300}) {
    oracle::layer const of = oracle::filled({.tokens = 7, .experts = 3}, {.top_k = 2, .capacity_factor = factor}, 26);
    agrees(of, dtype::f64, {2, 1, 1}, "");
  }
}

TEST_CASE("experts filled up with more rows than there are tokens, under every dispatcher") {
  oracle::layer const of =
      oracle::filled({.tokens = 7, .experts = 3},
                     {.top_k = 2, .capacity_factor = 5, .pad_to_capacity = true, .aux_loss_coeff = 1}, 27);
  for (char const* const dispatcher : dispatchers) {
    for (mesh const& on : {mesh{2, 2, 1}, mesh{4, 1, 2}})
      agrees(of, dtype::f64, on, std::string{"--dispatcher "} + dispatcher + " --expert aligned");
  }
}

TEST_CASE("random layers under random policies on random meshes") {
  oracle::dice with{77};
  auto const meshes = all_meshes();
  for (int draw = 0; draw < 60; ++draw) {
    CAPTURE(draw);
    dtype const type = with.one_in(2) ? dtype::f32 : dtype::f64;
    mesh const& on = meshes[at(with.roll(static_cast<index_t>(meshes.size())))];
    oracle::layer const of = clear_layer(with, type, on.ranks);
    agrees(of, type, on, drawn_policies(with, of.is));
  }
}
