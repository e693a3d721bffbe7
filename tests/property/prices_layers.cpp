// SPDX-License-Identifier: Apache-2.0
// Bills of layers with more than routed experts, and of routers whose ranks speak: what is sent is what they say.
#include "../support/price_trial.hpp"

#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/sinkhorn.hpp>
#include <heddle/style/identity_experts.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;
using namespace support;

namespace {

using chooser = top_k<kernel::softmax_then_top_k<true>>;
using plain = priced_mixture<all_to_all_dispatcher<>, weight_at::origin, glu_expert<>>;

}  // namespace

TEST_CASE("prices of a shared expert beside the routed ones, gated or not") {
  using gated = shared_expert<sequence<glu<silu>>, true>;
  for (auto const& grid : priced_grids()) {
    check_prices<with_shared<plain, gated>>(grid, {.shared = 5});
    check_prices<with_shared<plain, shared_expert<>>, double>(grid, {.shared = 5});
  }
}

TEST_CASE("prices of a shared expert that is cut over tp") {
  using cut = shared_expert<sequence<glu<silu>>, true, tp>;
  using lie = priced_cut<cut>;
  for (auto const& grid : priced_grids()) check_prices<with_shared<plain, cut>, float, lie>(grid, {.shared = 5});
}

TEST_CASE("prices of experts that return their input: half of the choices stay at home") {
  using layer =
      on_expert_grid<with_identity_experts<chooser, all_to_all_dispatcher<>, glu_expert<>, weight_at::origin>>;
  for (auto const& grid : {folding<>{}, folding<>{dense_mesh{1, 4}, expert_mesh{2, 2, 1}}})
    check_prices<layer>(grid, {.experts = 4, .identity = 4});
}

TEST_CASE("prices of experts that are padded to their capacity") {
  using padded = composed_router<gate, choose<kernel::softmax_then_top_k<true>, 2>,
                                 drop<drop_by::probability, expert_room::to_capacity>>;
  using exchanged = on_expert_grid<expert_parallel<padded, all_to_all_dispatcher<>, glu_expert<>, weight_at::origin>>;
  using stored = on_expert_grid<expert_parallel<padded, direct_dispatcher<>, glu_expert<>, weight_at::origin>>;
  for (auto const& grid :
       {folding<>{dense_mesh{2, 2}, expert_mesh{1, 4, 1}}, folding<>{dense_mesh{1, 4}, expert_mesh{2, 2, 1}}}) {
    check_prices<exchanged>(grid, {.capacity = 3});
    check_prices<stored>(grid, {.capacity = 3});
  }
  CHECK_THROWS_AS(
      static_cast<void>(cost_of<exchanged>(folding<>{}, 0, {.rows = 4, .width = 2, .experts = 2, .top_k = 1})), error);
}

TEST_CASE("prices of a Sinkhorn scaling, given the rounds that it took") {
  using everywhere = dealt_over<etp, ep>;
  using style = route_stage<composed_router<gate, choose<kernel::softmax_then_top_k<true>, 2, sinkhorn<everywhere>>>>;
  mesh<etp, ep> const grid{2, 3};
  on_ranks<etp, ep>(grid, 1, [&](auto& tools) {
    std::vector<float> w, x;
    for (int i = 0; i < 30; ++i) w.push_back(static_cast<float>(i * 7 % 11) * 0.1F);
    for (int i = 0; i < 24; ++i) x.push_back(static_cast<float>((i + 5 * tools.rank) % 9) * 0.2F);
    moe_weights<float> weights{};
    weights.gate = {{w.data(), {5, 6}}, 5, 6, {}};
    weights.top_k = 2;
    auto& outer = tools.groups.template get<ep>();
    auto& inner = tools.groups.template get<etp>();
    index_t const calls = outer.sent()[collective_kind::all_reduce].calls;
    index_t const before[] = {outer.bytes_sent(), inner.bytes_sent()};
    static_cast<void>(infer<style>(tools.execution, weights, rows<float const>{x.data(), {4, 6}}));
    index_t const rounds = outer.sent()[collective_kind::all_reduce].calls - calls - 1;
    CHECK(rounds > 1);
    layer_shape const shape{.rows = 4, .width = 6, .experts = 5, .top_k = 2, .sinkhorn_rounds = rounds};
    auto const bill = cost_of<style>(grid, tools.rank, shape);
    CHECK(bill.template bytes_sent<ep>() == outer.bytes_sent() - before[0]);
    CHECK(bill.template bytes_sent<etp>() == inner.bytes_sent() - before[1]);
    CHECK(bill.template bytes_sent<ep>() > 0);
    CHECK(backward_cost_of<style>(grid, tools.rank, shape).bytes_sent() == 0);
  });
}
