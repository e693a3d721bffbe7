// SPDX-License-Identifier: Apache-2.0
// Routers of narrow parameters against the oracle, and that a step of every part of a router allocates nothing once it
// is warm.
#include "../support/allocations.hpp"
#include "../support/router_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/dealt.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/expert_choice.hpp>
#include <heddle/router/gate_in.hpp>
#include <heddle/router/jitter.hpp>
#include <heddle/router/losses.hpp>
#include <heddle/router/sinkhorn.hpp>

using namespace heddle;
using namespace support;

namespace {

using everywhere = heddle::dealt_over<etp, ep, edp>;
using rule = kernel::softmax_then_top_k<true>;
using judged = losses<everywhere, aux_loss<kernel::softmax_score>, z_loss>;
using tail = sequence<judged, choose<rule, -1>>;

constexpr oracle::sizes sizes{
    .tokens = 12, .hidden = 5, .experts = 6, .router_bias = true, .expert_bias = true, .padding = true};

template <class Router>
void check_steady() {
  router_case const with{sizes, {.top_k = 2, .capacity_factor = 0.75, .aux_loss_coeff = 1, .z_loss_coeff = 1}, 1};
  on_ranks<etp, ep, edp>(expert_grid{1, 2, 1}, 1, [&](auto& tools) {
    router_parameters<double> own{with.layer};
    own.weights.options.jitter = 0.1;
    rows<double const> const x{with.layer.at("hidden").data.data() + 30 * tools.rank, extents<tokens, hidden>{6, 5}};
    step_state<> first;
    first.inputs.first_token = 6 * tools.rank;
    long before = 0;
    for (int step = 0; step < 3; ++step) {
      if (step == 1) before = allocations();
      host::workspace::scope const scope{tools.scratch};
      auto state = first;
      using style = route_stage<Router>;
      auto const [y, saved] = forward<style>(tools.execution, own.weights, x, state);
      auto const weights = std::get<1>(y);
      std::tuple const dy{borrow(std::get<0>(y)), gates<host_memory, double>{weights.weights}};
      static_cast<void>(backward<style>(tools.execution, own.weights, saved, dy));
    }
    CHECK(allocations() == before);
  });
}

}  // namespace

TEST_CASE_TEMPLATE("logits and sums are wider than the parameters", T, bf16, f16, float) {
  router_case with{sizes, {.top_k = 2, .normalize = true, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.25}, 1};
  for (auto& [name, tensor] : with.layer.tensors)
    tensor = name == "expert_bias" ? rounded<float>(tensor) : rounded<T>(tensor);
  for (double& value : with.dweights) value = static_cast<float>(value);
  routed_batch wanted = oracle_router(with.layer, with.dweights, 1);
  auto const rounded_once = [](double value) { return as_double(static_cast<T>(static_cast<float>(value))); };
  for (double& value : wanted.dhidden) value = rounded_once(value);
  double const tolerance = std::same_as<T, float> ? 1e-6 : 4e-3;  // one unit in the last place of dhidden
  for (expert_grid const& grid : grids_of(4)) {
    auto const narrow = run_router<composed_router<gate, tail>, T>(grid, with.layer, with.dweights);
    CHECK(difference(narrow, wanted, tolerance) == "");
    auto const wide = run_router<composed_router<gate_in<double>, tail>, T>(grid, with.layer, with.dweights);
    CHECK(difference(wide, wanted, tolerance) == "");
  }
}

TEST_CASE("a warm step allocates nothing") {
  check_steady<composed_router<jitter, gate, tail, drop<drop_by::probability>>>();
  check_steady<composed_router<gate_in<double>, choose<rule, 2, sinkhorn<everywhere>>,
                               drop<drop_by::position, expert_room::to_capacity>>>();
  check_steady<composed_router<gate, choose<rule, 2, round_robin>>>();
  check_steady<composed_router<gate, choose<rule, 2, expert_choice>>>();
}
