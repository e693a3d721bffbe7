// SPDX-License-Identifier: Apache-2.0
// Routers on a device that the host cannot look at: losses, scaling by rounds, experts that choose, drops, padding and
// replays have the bits of the host, and what must wait is counted.
#include "../support/deferred_trial.hpp"

using namespace deferred;

namespace {

using rule = kernel::softmax_then_top_k<true>;
using everywhere = heddle::dealt_over<etp, ep, edp>;
using judged = losses<everywhere, aux_loss<kernel::softmax_score>, z_loss>;
template <class Choice, class... Behind>
using lossy = composed_router<gate, judged, choose<rule, static_cast<int>(dynamic), Choice>, Behind...>;
template <class Router>
using moe_by = mixture<Router, by_mask, glu_expert<grouped>, weight_at::origin>;

constexpr sizes trials[] = {{9, 6, 4, 5, 2}, {33, 8, 4, 7, 3}};

problem padded(problem of) {
  for (index_t t = 0; t < of.at.height; ++t) of.padding.push_back(t % 5 == 2);
  return of;
}
struct with_history {
  problem operator()(problem of) const {
    for (index_t e = 0; e < of.at.experts; ++e) of.history.push_back(static_cast<double>(3 * e + 1));
    return of;
  }
};

}  // namespace

TEST_CASE("losses and counts of a step are found out by kernels, and waited for by who reads them") {
  for (sizes const& at : trials) {
    check_on_device<moe_by<lossy<best_experts>>>(problem{at}, 0);
    check_on_device<moe_by<lossy<best_experts>>>(with_history{}(padded(problem{at})), 0);
    check_replays<moe_by<lossy<best_experts>>>(at, 4, with_history{});
  }
}
TEST_CASE("scaling looks for its end now and then, or never in a capture") {
  for (sizes const& at : trials) {
    using scaled = moe_by<lossy<sinkhorn<everywhere>>>;
    check_on_device<scaled>(padded(problem{at}), 1);
    check_replays<scaled>(at, 2);
  }
}
TEST_CASE("experts that choose, and drops: capacity waits for a mask alone") {
  for (sizes const& at : trials) {
    using dropped = moe_by<lossy<best_experts, drop<drop_by::probability>>>;
    using filled = moe_by<lossy<best_experts, drop<drop_by::position, expert_room::to_capacity>>>;
    check_on_device<moe_by<lossy<expert_choice>>>(problem{at}, 0);
    check_on_device<dropped>(problem{at}, 0);
    check_on_device<dropped>(padded(problem{at}), 1);
    check_on_device<filled>(problem{at}, 0);
    check_replays<dropped>(at, 3);
    check_replays<filled>(at, 3);
  }
}
TEST_CASE("a replay is taken as it is where it is good; a choice that is none goes nowhere and is told late") {
  using replayed = moe_by<lossy<best_experts>>;
  problem of{trials[0]};
  for (index_t t = 0; t < of.at.height; ++t) {
    of.recorded.push_back(static_cast<std::int32_t>(t % 5));
    of.recorded.push_back(t == 4 ? -1 : static_cast<std::int32_t>((t + 2) % 5));
  }
  check_on_device<replayed>(of, 0);
  for (std::int32_t const bad : {5, -2, 1 << 30, 2}) {  // the last is a choice twice
    problem wrong = of;
    wrong.recorded[5] = bad;
    on_device<false> rank;
    step_state<device_memory> state;
    auto const* const x = rank.put(wrong.x);
    auto const views = step<replayed>(rank, wrong, x, x, state);
    CHECK(rank.gpu().waits() == 0);
    try {
      static_cast<void>(fetch_report(rank.execution(), state.report));
      FAIL("a bad choice");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::argument);
      CHECK(std::string{problem.what()}.find("choice 5,") != std::string::npos);
    }
    problem left_out = of;
    left_out.recorded[5] = -1;
    CHECK(rank.read(std::get<0>(views).data(), std::get<0>(views).count()) == eager_on_host<replayed>(left_out).y);
  }
}
