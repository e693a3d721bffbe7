// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_stores.hpp>

#include "../../support/ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/layer/forward.hpp>
#include <heddle/plan/cost.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace {

namespace hd = heddle;
using hd::index_t;
using both = hd::joint<hd::etp, hd::ep>;

/// Eight tokens a rank; token t has experts t and t + 4 of eight: every expert is chosen equally often, and the two are
/// on different ranks wherever there are two. Runs dispatch and combine and compares what was sent with the bill.
template <class Dispatcher, hd::weight_at At>
void check(hd::mesh<hd::etp, hd::ep> const& grid) {
  constexpr index_t experts = 8, width = 6;
  using there = hd::dispatch_stage<Dispatcher, At>;
  using back = hd::combine_stage<Dispatcher, At>;
  support::on_ranks<hd::etp, hd::ep, both>(grid, 1, [&](auto& tools) {
    std::vector<std::int32_t> ids;
    std::vector<float> const weights(experts * 2, 0.5F);
    std::vector<float> const x(experts * width, 1);
    for (index_t t = 0; t < experts; ++t) {
      ids.push_back(static_cast<std::int32_t>(t));
      ids.push_back(static_cast<std::int32_t>((t + 4) % experts));
    }
    hd::step_state<> state;
    state.routing.begin({ids.data(), {experts, 2}}, experts);
    auto const sent = [&](auto group) { return tools.groups.template get<decltype(group)>().bytes_sent(); };
    index_t const before[] = {sent(hd::etp{}), sent(hd::ep{}), sent(both{})};
    hd::activation<float const> const rows{{x.data(), {experts, width}}, width};
    hd::gates<> const gates{{weights.data(), {experts, 2}}, state.routing.ids};
    auto const arrived = hd::infer<there>(tools.execution, std::tuple<>{}, std::tuple{rows, gates}, state);
    if constexpr (At == hd::weight_at::origin) hd::infer<back>(tools.execution, std::tuple<>{}, arrived, state);
    else hd::infer<back>(tools.execution, std::tuple<>{}, std::get<0>(arrived), state);

    hd::detail::pricing<hd::mesh<hd::etp, hd::ep>> p{
        grid, tools.rank, {.rows = experts, .experts = experts, .top_k = 2}};
    hd::detail::priced_value const row{.rows = experts, .width = width, .full_width = width};
    hd::detail::priced_value const gate{
        .rows = experts, .width = 2, .full_width = width, .element_size = 8, .gates = true};
    hd::detail::priced_bundle bundle{{row, gate}, 2};
    hd::detail::pricer<typename there::forward>::through(p, bundle);
    CHECK(bundle.values[0].rows == std::get<0>(arrived).data.template size<hd::tokens>());
    if constexpr (At != hd::weight_at::origin) bundle.count = 1;
    hd::detail::pricer<typename back::forward>::through(p, bundle);
    CHECK(bundle.values[0].rows == experts);
    CHECK(p.report.template bytes_sent<hd::etp>() == sent(hd::etp{}) - before[0]);
    CHECK(p.report.template bytes_sent<hd::ep>() == sent(hd::ep{}) - before[1]);
    CHECK(p.report.template bytes_sent<both>() == sent(both{}) - before[2]);
  });
}

template <class Dispatcher>
void check_all() {
  for (std::pair<int, int> const& sizes : {std::pair{1, 1}, {1, 2}, {2, 1}, {2, 2}, {2, 4}, {1, 4}}) {
    CAPTURE(sizes.first);
    CAPTURE(sizes.second);
    check<Dispatcher, hd::weight_at::output>(hd::mesh<hd::etp, hd::ep>{sizes.first, sizes.second});
    check<Dispatcher, hd::weight_at::origin>(hd::mesh<hd::etp, hd::ep>{sizes.first, sizes.second});
  }
}

}  // namespace

TEST_CASE("price: stores send what their bill says") { check_all<hd::direct_dispatcher<>>(); }
TEST_CASE("price: tokens once a rank, by exchanges") {
  check_all<hd::all_to_all_dispatcher<hd::ep, hd::etp, hd::deduplicated>>();
}
TEST_CASE("price: tokens once a rank, by stores") {
  check_all<hd::direct_dispatcher<hd::ep, hd::etp, hd::on_overflow::error, hd::deduplicated>>();
}
TEST_CASE("price: one group, by exchanges and by stores") {
  check_all<hd::flex_dispatcher<>>();
  check_all<hd::flex_dispatcher<hd::ep, hd::etp, hd::by_direct<>>>();
}
