// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_router.hpp>
// own header first
#include "../../support/ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/forward.hpp>
#include <heddle/plan/cost.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace {

namespace hd = heddle;
using hd::index_t;
using grid = hd::mesh<hd::etp, hd::ep>;
using everywhere = hd::dealt_over<hd::etp, hd::ep>;
using rule = hd::kernel::softmax_then_top_k<true>;
template <hd::balance_over Over>
using balance = hd::aux_loss<hd::kernel::softmax_score, hd::balance_scale::megatron, Over>;

constexpr hd::layer_shape shape{.rows = 4, .width = 6, .experts = 5, .top_k = 2, .sequence_length = 3};

/// What ranks send in a step is what the bill says.
template <class Router>
void compare() {
  using style = hd::route_stage<Router>;
  grid const mesh{2, 3};
  support::on_ranks<hd::etp, hd::ep>(mesh, 1, [&](auto& tools) {
    std::vector<float> const w(30, 0.5F), x(24, 1.0F);
    hd::moe_weights<float> weights{};
    weights.gate = {{w.data(), hd::extents<hd::out_features, hd::in_features>{5, 6}}, 5, 6, {}};
    weights.top_k = 2;
    weights.options = {.aux_coeff = 1, .z_coeff = 1, .sequence_length = 3};
    hd::step_state<> state;
    state.inputs.first_token = 4 * tools.rank;
    auto& etp = tools.groups.template get<hd::etp>();
    auto& ep = tools.groups.template get<hd::ep>();
    index_t const before[] = {etp.bytes_sent(), ep.bytes_sent()};
    hd::infer<style>(tools.execution, weights,
                     hd::rows<float const>{x.data(), hd::extents<hd::tokens, hd::hidden>{4, 6}}, state);
    auto const bill = hd::cost_of<style>(mesh, tools.rank, shape);
    CHECK(bill.template bytes_sent<hd::etp>() == etp.bytes_sent() - before[0]);
    CHECK(bill.template bytes_sent<hd::ep>() == ep.bytes_sent() - before[1]);
    CHECK(bill.template bytes_sent<hd::ep>() > 0);
  });
}

}  // namespace

TEST_CASE("price: losses send one message a group, and before a balance of sequences the number of tokens") {
  using hd::balance_over;
  compare<hd::composed_router<hd::gate, hd::losses<everywhere, balance<balance_over::tokens>, hd::z_loss>,
                              hd::choose<rule, 2>>>();
  compare<
      hd::composed_router<hd::gate, hd::losses<everywhere, balance<balance_over::sequences>>, hd::choose<rule, 2>>>();
}

TEST_CASE("price: sequences of unknown length, and scalings of unknown rounds") {
  using sequences = hd::losses<everywhere, balance<hd::balance_over::sequences>>;
  hd::detail::pricing<grid> p{grid{2, 3}, 0, {.rows = 4, .experts = 5, .top_k = 2}};
  CHECK_THROWS_AS(static_cast<void>(price(sequences{}, p, hd::detail::priced_value{.rows = 4, .width = 5})), hd::error);
  using scaled = hd::choose<rule, 2, hd::sinkhorn<everywhere>>;
  CHECK_THROWS_AS(static_cast<void>(price(scaled{}, p, hd::detail::priced_value{.rows = 4, .width = 5})), hd::error);
  hd::detail::pricing<grid> alone{grid{1, 1}, 0, {.rows = 4, .experts = 5, .top_k = 2}};
  CHECK(price(scaled{}, alone, hd::detail::priced_value{.rows = 4, .width = 5}).width == 2);
}

TEST_CASE("price: a wide gate copies what is narrower, noise and drops keep a copy") {
  hd::detail::pricing<grid> p{grid{1, 1}, 0, {.rows = 3, .experts = 5, .top_k = 2}};
  hd::detail::priced_value const x{.rows = 3, .width = 6, .full_width = 6, .element_size = 4};
  auto const logits = price(hd::wide_gemm<double>{}, p, x);
  CHECK(logits.width == 5);
  CHECK(logits.element_size == 8);
  CHECK(p.report.flops == 2 * 3 * 6 * 5);
  CHECK(p.report.activation_bytes == (3 + 5) * 6 * 8 + 3 * 5 * 8);
  CHECK(price(hd::jitter{}, p, x).bytes() == 3 * 6 * 4);
  CHECK(p.report.activation_bytes == (3 + 5) * 6 * 8 + 3 * 5 * 8 + 3 * 6 * 4);
  auto const chosen = price(hd::choose<rule, 2>{}, p, logits);
  index_t const before = p.report.activation_bytes;
  CHECK(price(hd::drop<hd::drop_by::position>{}, p, chosen).bytes() == chosen.bytes());
  CHECK(p.report.activation_bytes == before + 3 * 2 * (4 + 4));
}
