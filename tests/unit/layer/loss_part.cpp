// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/loss_part.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>
#include <heddle/layer/run_losses.hpp>

using namespace heddle;
using namespace numbers;

namespace {

using balance = aux_loss<kernel::softmax_score>;
using of_sequences = aux_loss<kernel::softmax_score, balance_scale::megatron, balance_over::sequences>;
using doubles = std::vector<double>;

activation<double const> logits_of(doubles const& data, index_t experts) {
  return {support::rows_of(data, static_cast<index_t>(data.size()) / experts, experts), experts};
}

moe_weights<double> with(double aux, double z) {
  moe_weights<double> weights{};
  weights.options.aux_coeff = aux;
  weights.options.z_coeff = z;
  return weights;
}

double const ln3 = std::log(3.0);

}  // namespace

TEST_CASE("earlier choices take part in the balance, and the report has them with those of this step") {
  doubles const history{4, 0};
  support::on_ranks<ep>(mesh<ep>{2}, 1, [&](auto& tools) {
    step_state<> state;
    state.inputs.history = history;
    state.inputs.history_steps = 1;
    auto const weights = with(1, 0);
    frame frame{tools.execution, weights, state};
    doubles const mine{0, ln3};  // both ranks choose expert 1
    run(losses<dealt_over<ep>, balance>{}, frame, logits_of(mine, 2));
    CHECK(doubles(state.report.history.begin(), state.report.history.end()) == doubles{4, 2});
    CHECK(state.report.aux == doctest::Approx(2 / 4.0 * (2 * 0.5 + 1 * 1.5)));  // the mean of the two steps: n = (2, 1)
    CHECK(history[1] == 0);
    doubles const three{0, 0, 0};
    CHECK_THROWS_AS(static_cast<void>(run(losses<dealt_over<>, balance>{}, frame, logits_of(three, 3))), error);
    CHECK_THROWS_AS(static_cast<void>(run(losses<dealt_over<>, of_sequences>{}, frame, logits_of(mine, 2))), error);
  });
}

TEST_CASE("sequences: every rank says which tokens it has, and they must be whole") {
  auto weights = with(1, 0);
  weights.options.sequence_length = 2;
  support::on_ranks<ep>(mesh<ep>{2}, 1, [&](auto& tools) {
    step_state<> state;
    frame frame{tools.execution, weights, state};
    doubles const mine{0, ln3, 0, ln3};
    using own = losses<dealt_over<ep>, of_sequences>;
    state.inputs.first_token = 2 * tools.rank;
    run(own{}, frame, logits_of(mine, 2));
    CHECK(state.report.aux == doctest::Approx(2 / 4.0 * 2 * 1.5));
    CHECK(state.report.slopes.size() == 4);
    state.inputs.first_token = 3;
    CHECK_THROWS_AS(static_cast<void>(run(own{}, frame, logits_of(mine, 2))), error);
    state.inputs.first_token = -1;
    CHECK_THROWS_AS(static_cast<void>(run(own{}, frame, logits_of(mine, 2))), error);
  });
  weights.options.sequence_length = 3;
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    doubles const mine{0, ln3, 0, ln3};
    CHECK_THROWS_AS(static_cast<void>(run(losses<dealt_over<ep>, of_sequences>{}, frame, logits_of(mine, 2))), error);
  });
}

TEST_CASE("a loss knows how many sums it takes") {
  in_frames<ep>(mesh<ep>{1}, with(1, 1), [](auto& frame, int) {
    doubles const mine{0, ln3, 0, ln3, 1, 1};
    auto const x = logits_of(mine, 3).data;
    CHECK(detail::loss_part<z_loss>::columns<placement<>>(frame, x) == 2);
    CHECK(detail::loss_part<balance>::columns<placement<>>(frame, x) == 7);
    using of_four = aux_loss<kernel::softmax_score, balance_scale::megatron, balance_over::tokens, 4>;
    CHECK_THROWS_AS(static_cast<void>(detail::loss_part<of_four>::columns<placement<>>(frame, x)), error);
  });
}
