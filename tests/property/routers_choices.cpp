// SPDX-License-Identifier: Apache-2.0
// Choices that are not a top k, noise on the router's input, logits in f64: the same on every layout of the ranks, and
// with gradients that are those of the values, by central differences.
#include "../support/router_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/update_expert_bias.hpp>
#include <heddle/router/dealt.hpp>
#include <heddle/router/expert_choice.hpp>
#include <heddle/router/gate_in.hpp>
#include <heddle/router/jitter.hpp>
#include <heddle/router/sinkhorn.hpp>
#include <heddle/router/top_k.hpp>

using namespace heddle;
using namespace support;

namespace {

using everywhere = placement<tokens_on<etp>, tokens_on<ep>, tokens_on<edp>>;
using rule = kernel::softmax_then_top_k<true>;

constexpr oracle::sizes sizes{.tokens = 13, .hidden = 5, .experts = 6, .router_bias = true, .padding = true};
constexpr std::uint64_t seed = 11;

/// The sum of weights times their gradients, moved `step` along a direction of one tensor.
template <class Router>
double moved(oracle::layer of, std::string const& name, std::vector<double> const& direction, double step,
             std::vector<double> const& dweights, double noise) {
  auto& values = of.tensors.at(name).data;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += step * direction[i];
  auto const got = run_router<Router>(expert_grid{1, 1, 1}, of, dweights, seed, noise);
  double sum = 0;
  for (std::size_t i = 0; i < got.weights.size(); ++i) sum += got.weights[i] * dweights[i];
  return sum;
}

template <class Router>
void check_gradients(oracle::layer const& of, std::vector<double> const& dweights, double noise) {
  auto const got = run_router<Router>(expert_grid{1, 1, 1}, of, dweights, seed, noise);
  for (auto const& [name, gradient] : {std::pair{std::string{"hidden"}, &got.dhidden},
                                       {std::string{"router.weight"}, &got.dgate},
                                       {std::string{"router.bias"}, &got.dbias}}) {
    CAPTURE(name);
    auto const direction = distinct(of.at(name).shape, 99).data;
    double slope = 0;
    for (std::size_t i = 0; i < direction.size(); ++i) slope += direction[i] * (*gradient)[i];
    double const step = 1e-5;
    double const rise = moved<Router>(of, name, direction, step, dweights, noise) -
                        moved<Router>(of, name, direction, -step, dweights, noise);
    CHECK(slope == doctest::Approx(rise / (2 * step)).epsilon(1e-6));
    CHECK(std::abs(slope) > 1e-3);
  }
}

/// `chunked`: the choice depends on the number of ranks, not on how they are laid out.
template <class Router>
void check(index_t slots_of_token, double noise = 0, bool chunked = false) {
  router_case const with{sizes, {.top_k = 2, .normalize = true, .scale = 1.5, .capacity_factor = 1.25}, 1};
  auto const dweights = distinct({sizes.tokens, slots_of_token}, 5).data;
  check_gradients<Router>(with.layer, dweights, noise);
  auto wanted = run_router<Router>(expert_grid{1, 1, 1}, with.layer, dweights, seed, noise);
  for (int const world : {2, 3, 4, 6, 8}) {
    bool first = chunked;
    for (expert_grid const& grid : grids_of(world)) {
      CAPTURE(world);
      CAPTURE(grid.size<ep>());
      CAPTURE(grid.size<etp>());
      auto const got = run_router<Router>(grid, with.layer, dweights, seed, noise);
      if (std::exchange(first, false)) wanted = got;
      wanted.dropped.assign(wanted.kept.size(), 0);
      wanted.aux.resize(1);
      wanted.z.resize(1);
      CHECK(difference(got, wanted, 1e-12) == "");
    }
  }
}

}  // namespace

TEST_CASE("experts dealt in turn, behind noise") {
  check<composed_router<jitter, gate, choose<rule, 2, round_robin>>>(2, 0.25);
}
TEST_CASE("experts dealt at random") { check<composed_router<gate, choose<rule, -1, at_random>>>(2); }
TEST_CASE("a choice balanced over all ranks") {
  check<composed_router<gate, choose<rule, 2, sinkhorn<everywhere>>>>(2);
}
TEST_CASE("experts that choose among the tokens of a rank") {
  check<composed_router<gate, choose<rule, 2, expert_choice>>>(sizes.experts, 0, true);
}
TEST_CASE("a gate in f64, behind noise") { check<composed_router<jitter, gate_in<double>, choose<rule, 2>>>(2, 0.25); }

TEST_CASE("a gate in f64 of parameters in f32: as exact as the parameters") {
  using own = composed_router<gate_in<double>, choose<rule, -1>>;
  router_case with{sizes, {.top_k = 2, .normalize = true, .scale = 1.5}, 1};
  for (auto& [name, tensor] : with.layer.tensors) tensor = rounded<float>(tensor);
  for (double& value : with.dweights) value = static_cast<float>(value);
  auto const wanted = oracle_router(with.layer, with.dweights, 1);
  for (expert_grid const& grid : grids_of(4)) {
    auto const got = run_router<own, float>(grid, with.layer, with.dweights);
    CHECK(difference(got, wanted, 3e-7) == "");
  }
}

TEST_CASE("the update of the expert bias is that of the oracle on every layout") {
  for (bool const zero_mean : {false, true}) {
    router_case const with{sizes, {.top_k = 3, .bias_update_rate = 0.125, .zero_mean = zero_mean}, 1};
    auto const wanted = oracle::updated_bias(with.layer, oracle::route(with.layer, 1).kept);
    for (int const world : {1, 2, 3, 4, 6, 8}) {
      for (expert_grid const& grid : grids_of(world)) {
        on_ranks<etp, ep, edp>(grid, 1, [&](auto& tools) {
          range const own = balanced::piece(sizes.tokens, world, tools.rank);
          auto const to = oracle::route(with.layer, 1);
          std::vector<index_t> counts(static_cast<std::size_t>(sizes.experts));
          for (index_t i = own.begin * 3; i < own.end() * 3; ++i) {
            index_t const id = to.indices[static_cast<std::size_t>(i)];
            if (id >= 0) ++counts[static_cast<std::size_t>(id)];
          }
          std::vector<double> bias(counts.size());
          std::span<index_t const> const kept{counts};
          if (zero_mean) {
            update_expert_bias<bias_rule::torchtitan, etp, ep, edp>(tools.execution, std::span<double>{bias}, kept,
                                                                    0.125);
          } else {
            update_expert_bias<bias_rule::megatron, etp, ep, edp>(tools.execution, std::span<double>{bias}, kept,
                                                                  0.125);
          }
          for (std::size_t e = 0; e < bias.size(); ++e) CHECK(bias[e] == doctest::Approx(wanted[e]).epsilon(1e-14));
        });
      }
    }
  }
}
