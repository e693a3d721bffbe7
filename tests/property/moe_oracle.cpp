// SPDX-License-Identifier: Apache-2.0
// The oracle of the mixture layer against central differences of itself, against the plain forward pass of
// support/dense.hpp, and against decisions worked out by hand.
#include "../support/moe_oracle.hpp"

#include "../support/dense.hpp"
#include "../support/oracle_draw.hpp"

#include <doctest/doctest.h>

using namespace oracle;

namespace {

/// What the gradients are of: sum(output * grad_output) plus the losses.
double objective(layer const& of, index_t chunks) {
  result const done = run_layer(of, chunks);
  double sum = done.aux + done.z;
  tensor const& dy = of.at("grad_output");
  for (std::size_t i = 0; i < dy.data.size(); ++i) sum += done.output.data[i] * dy.data[i];
  return sum;
}

/// Compares a few elements of every gradient with central differences; returns how many.
int check_gradients(layer of, index_t chunks, dice& with) {
  constexpr double step = 1e-5;
  result const done = run_layer(of, chunks);
  int compared = 0;
  for (auto const& [name, gradient] : done.gradients) {
    CAPTURE(name);
    for (int draw = 0; draw < 4 && !gradient.data.empty(); ++draw) {
      auto const i = at(with.roll(static_cast<index_t>(gradient.data.size())));
      double& value = of.tensors.at(name).data[i];
      double const here = value;
      value = here + step;
      double const above = objective(of, chunks);
      value = here - step;
      double const below = objective(of, chunks);
      value = here;
      double const slope = (above - below) / (2 * step);
      CHECK(std::abs(gradient.data[i] - slope) <= 1e-5 * std::max(1.0, std::abs(slope)));
      ++compared;
    }
  }
  return compared;
}

layer plain(sizes const& of = {}, settings const& is = {}) { return filled(of, is, 11); }

/// A layer whose logits are the given rows: hidden is one-hot, router.weight their transpose.
layer with_logits(std::vector<numbers> const& z, settings const& is) {
  auto const tokens = static_cast<index_t>(z.size());
  auto const experts = static_cast<index_t>(z[0].size());
  layer of = plain({.tokens = tokens, .hidden = tokens, .experts = experts}, is);
  tensor& x = of.tensors.at("hidden");
  tensor& w = of.tensors.at("router.weight");
  for (index_t t = 0; t < tokens; ++t) {
    for (index_t h = 0; h < tokens; ++h) row(x, t)[h] = h == t ? 1 : 0;
    for (index_t e = 0; e < experts; ++e) row(w, e)[t] = z[at(t)][at(e)];
  }
  return of;
}

}  // namespace

TEST_CASE("every gradient of the oracle is the slope of its objective") {
  dice with{2024};
  int compared = 0;
  int layers = 0;
  for (int draw = 0; layers < 250; ++draw) {
    sizes const of = drawn_sizes(with);
    settings is = drawn_settings(with, of);
    if (with.one_in(4)) is.identity = with.roll(of.experts);
    layer const made = filled(of, is, with.seed());
    index_t const chunks = 1 + with.roll(4);
    result const done = run_layer(made, chunks);
    if (done.margin < 1e-3 || done.kink < 1e-3) continue;  // a difference must not cross a jump
    CAPTURE(draw);
    CAPTURE(config_text(is));
    compared += check_gradients(made, chunks, with);
    ++layers;
  }
  CHECK(compared > 3000);
}

TEST_CASE("the slopes of gpt_oss are zero beyond its clamps") {
  for (double const g : {6.5, 7.5, -9.0}) {
    for (double const u : {-7.5, -6.5, 0.5, 8.0}) {
      activated const is = activate(activation_kind::gpt_oss, g, u);
      double const step = 1e-6;
      auto const value = [](double gate, double up) { return activate(activation_kind::gpt_oss, gate, up).value; };
      CHECK(is.by_gate == doctest::Approx((value(g + step, u) - value(g - step, u)) / (2 * step)).epsilon(1e-6));
      CHECK(is.by_up == doctest::Approx((value(g, u + step) - value(g, u - step)) / (2 * step)).epsilon(1e-6));
      CHECK((is.by_gate == 0) == (g > 7));
      CHECK((is.by_up == 0) == (std::abs(u) > 7));
    }
  }
}

TEST_CASE("the forward pass agrees with the plain mixture") {
  for (bool const normalize : {false, true}) {
    for (bool const input : {false, true}) {
      settings const is{.top_k = 3, .normalize = normalize, .scale = 1.5, .weight_at_input = input};
      layer const of = plain({.tokens = 9, .hidden = 6, .experts = 5, .width = 4}, is);
      support::moe const same{.gate = of.at("router.weight"),
                              .fc1 = of.at("gate_up_proj"),
                              .fc2 = of.at("down_proj"),
                              .slots = 3,
                              .scale = 1.5,
                              .renormalise = normalize};
      tensor const y =
          support::mixture(of.at("hidden"), same, input ? heddle::weight_at::input : heddle::weight_at::output);
      result const done = run_layer(of);
      for (std::size_t i = 0; i < y.data.size(); ++i)
        CHECK(done.output.data[i] == doctest::Approx(y.data[i]).epsilon(1e-12));
    }
  }
}

TEST_CASE("interleaved rows are the halves in another order, in the experts and in the shared one") {
  sizes const of{.shared = 2, .biases = true, .shared_expert = true};
  layer halves = plain(of, {.activation = activation_kind::gpt_oss});
  layer mixed = halves;
  mixed.is.interleaved = true;
  auto const interleave = [](double const* from, double* to, index_t width, index_t stride) {
    for (index_t f = 0; f < width; ++f) {
      std::copy_n(from + f * stride, stride, to + 2 * f * stride);
      std::copy_n(from + (width + f) * stride, stride, to + (2 * f + 1) * stride);
    }
  };
  for (index_t e = 0; e < 4; ++e) {
    interleave(row(halves.at("gate_up_proj"), e), row(mixed.tensors.at("gate_up_proj"), e), 3, 5);
    interleave(row(halves.at("gate_up_bias"), e), row(mixed.tensors.at("gate_up_bias"), e), 3, 1);
  }
  std::string const shared = "shared.gate_up_proj";
  interleave(halves.at(shared).data.data(), mixed.tensors.at(shared).data.data(), 2, 5);
  result const a = run_layer(halves);
  result const b = run_layer(mixed);
  CHECK(a.output.data == b.output.data);
  CHECK(a.gradients.at(shared).data != b.gradients.at(shared).data);
}

TEST_CASE("slots are by falling selection value, ties by lower id, NaN last") {
  settings const is{.top_k = 3, .score = score_kind::sigmoid};
  layer of = with_logits({{1, 3, 3, 2}, {0, 0, 0, 0}}, is);
  CHECK(run_layer(of).indices == indices_t{1, 2, 3, 0, 1, 2});
  CHECK(run_layer(of).margin == 0);
  of.tensors["router.bias"] = {{4}, {0, std::nan(""), 0, 0}};
  CHECK(run_layer(of).indices == indices_t{2, 3, 0, 0, 2, 3});
  of.is.score = score_kind::softmax;  // one NaN makes every score one
  CHECK(run_layer(of).indices == indices_t{0, 1, 2, 0, 1, 2});
  of.is.post = true;
  CHECK(run_layer(of).indices == indices_t{2, 3, 0, 0, 2, 3});
  layer const far = with_logits({{-900, -800, 0, -1000}}, {.top_k = 3});  // scores of zero tie, whatever their logits
  CHECK(run_layer(far).indices == indices_t{2, 0, 1});
  CHECK(ranked({std::nan(""), -1, std::nan(""), -2}) == indices_t{1, 3, 0, 2});
}

TEST_CASE("the expert bias selects and does not weigh") {
  settings const is{.top_k = 1, .score = score_kind::sigmoid};
  layer of = with_logits({{2, 1}}, is);
  of.tensors["expert_bias"] = {{2}, {0, 1}};
  result const done = run_layer(of);
  CHECK(done.indices == indices_t{1});
  CHECK(done.weights.data[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
}

TEST_CASE("groups: the sum of two, of m, and the maximum keep different ones") {
  std::vector<numbers> const z{{2.5, -3, -3, 2, 2, -2.5, 1.1, 1.2, 1}};
  auto const chosen = [&](group_kind kind, index_t k, index_t kept) {
    settings const is{.top_k = k, .post = true, .groups = 3, .groups_kept = kept, .group_score = kind};
    return run_layer(with_logits(z, is)).indices;
  };
  CHECK(chosen(group_kind::top2, 2, 1) == indices_t{3, 4});
  CHECK(chosen(group_kind::max, 2, 1) == indices_t{0, 1});
  CHECK(chosen(group_kind::topm, 1, 1) == indices_t{0});
  CHECK(chosen(group_kind::topm, 3, 1) == indices_t{7, 6, 8});
  CHECK(chosen(group_kind::topm, 3, 2) == indices_t{0, 3, 4});  // m = 1: groups 0 and 1 have the largest experts
  // A group that is not kept loses to negative values of one that is.
  CHECK(chosen(group_kind::max, 3, 1) == indices_t{0, 1, 2});
}

TEST_CASE(
    "capacity: a share of each chunk's valid tokens, the largest weights or the first tokens, nothing renormalised") {
  // All four tokens choose expert 0; C = ceil(4 * 1 / 2 * 0.75) = 2 in one chunk, 1 in each of two.
  std::vector<numbers> const z{{1, -9}, {3, -9}, {2, -9}, {3, -9}};
  settings is{.top_k = 1, .score = score_kind::sigmoid, .capacity_factor = 0.75};
  result done = run_layer(with_logits(z, is));
  CHECK(done.indices == indices_t{-1, 0, -1, 0});
  CHECK(done.dropped_per_expert == indices_t{2, 0});
  CHECK(done.tokens_per_expert == indices_t{2, 0});
  CHECK(done.weights.data[0] == 0);
  CHECK(done.weights.data[1] == doctest::Approx(1 / (1 + std::exp(-3.0))));
  done = run_layer(with_logits(z, is), 2);
  CHECK(done.indices == indices_t{-1, 0, -1, 0});
  is.by_position = true;
  done = run_layer(with_logits(z, is));
  CHECK(done.indices == indices_t{0, 0, -1, -1});
  done = run_layer(with_logits(z, is), 2);
  CHECK(done.indices == indices_t{0, -1, 0, -1});
  done = run_layer(with_logits(z, is), 3);  // 2, 1 and 1 tokens: C = ceil(0.75), ceil(0.375), ceil(0.375)
  CHECK(done.indices == indices_t{0, -1, 0, 0});
  layer padded = with_logits(z, is);
  padded.padding = {true, false, false, false};  // C = ceil(3 / 2 * 0.75) = 2
  CHECK(run_layer(padded).indices == indices_t{-1, 0, 0, -1});
  CHECK(run_layer(padded).dropped_per_expert == indices_t{1, 0});
  is.capacity_factor = 1;
  padded.is = is;
  padded.padding = {true, true, false, false};  // C = 1 for two tokens; it would be 2 for four
  CHECK(run_layer(padded).indices == indices_t{-1, -1, 0, -1});
  is.capacity_factor = 0.75;
  is.by_position = false;  // ties at the capacity go to the lower token
  CHECK(run_layer(with_logits({{3, -9}, {3, -9}, {3, -9}}, is)).indices == indices_t{0, 0, -1});
}

TEST_CASE("a padding token has a row of zeros and touches nothing") {
  settings const is{.top_k = 2, .aux_loss_coeff = 1, .z_loss_coeff = 1};
  sizes const of{.tokens = 6, .shared = 3, .shared_expert = true, .shared_gate = true};
  layer with = filled(of, is, 3);
  with.padding = {false, false, true, false, true, false};
  layer without = with;
  without.padding.clear();
  for (std::string const name : {"hidden", "grad_output"}) {
    tensor const& all = with.at(name);
    tensor some{{4, 5}, {}};
    for (index_t const t : {0, 1, 3, 5}) some.data.insert(some.data.end(), row(all, t), row(all, t) + 5);
    without.tensors[name] = some;
  }
  for (index_t h = 0; h < 5; ++h) row(with.tensors.at("hidden"), 2)[h] = std::nan("");
  result const a = run_layer(with);
  result const b = run_layer(without);
  CHECK(a.aux == b.aux);
  CHECK(a.z == b.z);
  CHECK(a.tokens_per_expert == b.tokens_per_expert);
  CHECK(a.gradients.at("router.weight").data == b.gradients.at("router.weight").data);
  CHECK(a.gradients.at("shared.gate.weight").data == b.gradients.at("shared.gate.weight").data);
  for (index_t h = 0; h < 5; ++h) {
    CHECK(row(a.output, 2)[h] == 0);
    CHECK(row(a.gradients.at("hidden"), 4)[h] == 0);
    CHECK(row(a.output, 5)[h] == row(b.output, 3)[h]);
  }
}

TEST_CASE("losses worked out by hand") {
  // Two tokens, two experts, even logits but for one: p = (1/2, 1/2) and (3/4, 1/4).
  std::vector<numbers> const z{{0, 0}, {std::log(3.0), 0}};
  settings is{.top_k = 1, .aux_loss_coeff = 1};
  // Both choose expert 0 (the tie goes there): 1 * 2 / (1 * 4) * 2 * (1/2 + 3/4).
  CHECK(run_layer(with_logits(z, is)).aux == doctest::Approx(1.25));
  is.aux_loss = loss_kind::sequence;
  is.sequence_length = 1;  // each block 2 * 1 * p_0, their mean
  CHECK(run_layer(with_logits(z, is)).aux == doctest::Approx((2 * 0.5 + 2 * 0.75) / 2));
  layer padded = with_logits(z, is);
  padded.padding = {false, true};
  CHECK(run_layer(padded).aux == doctest::Approx(0.5));
  settings twice{.top_k = 2, .aux_loss_coeff = 1};
  double const once = run_layer(with_logits(z, twice)).aux;
  twice.aux_loss = loss_kind::huggingface;
  CHECK(run_layer(with_logits(z, twice)).aux == doctest::Approx(2 * once));
  settings const squares{.top_k = 1, .z_loss_coeff = 2};
  double const a = std::log(2.0);
  double const b = std::log(4.0);
  CHECK(run_layer(with_logits(z, squares)).z == doctest::Approx(a * a + b * b));
  settings const sigmoids{.top_k = 1, .score = score_kind::sigmoid, .aux_loss_coeff = 1};
  // sigmoid: (1/2, 1/2) and (3/4, 1/2) = p (3/5, 2/5).
  CHECK(run_layer(with_logits(z, sigmoids)).aux == doctest::Approx(1.1));
}

TEST_CASE("both updates of the expert bias") {
  std::vector<numbers> const z{{1, 0, 0}, {1, 0, 0}, {0, 1, 0}};  // counts 2, 1, 0; mean 1
  settings is{.top_k = 1, .bias_update_rate = 0.5};
  CHECK(run_layer(with_logits(z, is)).updated_bias == numbers{-0.5, 0, 0.5});
  is.zero_mean = true;
  layer const uneven = with_logits({{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}, is);  // counts 3, 0, 0: d = -r, r, r
  numbers const moved = run_layer(uneven).updated_bias;
  CHECK(moved[0] == doctest::Approx(-0.5 - 0.5 / 3));
  CHECK(moved[1] == doctest::Approx(0.5 - 0.5 / 3));
  is.bias_update_rate.reset();
  CHECK(run_layer(with_logits(z, is)).updated_bias == numbers{0, 0, 0});
}

TEST_CASE("post selects by logit, weighs by softmax over the selected, and normalize changes nothing") {
  settings is{.top_k = 2, .post = true, .scale = 2};
  result const done = run_layer(with_logits({{std::log(3.0), -5, 0}}, is));
  CHECK(done.indices == indices_t{0, 2});
  CHECK(done.weights.data[0] == doctest::Approx(1.5));
  CHECK(done.weights.data[1] == doctest::Approx(0.5));
  is.normalize = true;
  CHECK(run_layer(with_logits({{std::log(3.0), -5, 0}}, is)).weights.data == done.weights.data);
}
