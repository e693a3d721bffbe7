// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_losses.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>

using namespace heddle;
using namespace numbers;

namespace {

using balance = aux_loss<kernel::softmax_score>;
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

TEST_CASE("two tokens on two ranks: one loss, and each rank the gradient of its token") {
  in_frames<ep>(mesh<ep>{2}, with(0.5, 0.25), [](auto& frame, int rank) {
    // Probabilities 3/4 1/4 on rank 0 and 1/4 3/4 on rank 1: n = (1, 1), sums of p = (1, 1).
    doubles const mine = rank == 0 ? doubles{ln3, 0} : doubles{0, ln3};
    auto const x = logits_of(mine, 2);
    auto const y = run(losses<dealt_over<ep>, balance, z_loss>{}, frame, x);
    CHECK(y.data.data() == mine.data());
    CHECK(frame.report.aux == doctest::Approx(0.5 * 2 / (1 * 4.0) * 2));
    CHECK(frame.report.z == doctest::Approx(0.25 * std::log(4.0) * std::log(4.0)));
    doubles const dy{10, 20};
    kept<activation<double const>> const saved{{x}};
    auto const dx = run(losses<dealt_over<ep>, balance, z_loss>::conjugate{}, frame, saved, logits_of(dy, 2));
    // Equal counts have no slope along the softmax; z: 0.25 * 2 log(4) p / 2.
    CHECK(dx.data(0, 0) == doctest::Approx(10 + 0.25 * std::log(4.0) * (rank == 0 ? 0.75 : 0.25)));
    CHECK(dx.data(0, 1) == doctest::Approx(20 + 0.25 * std::log(4.0) * (rank == 0 ? 0.25 : 0.75)));
    CHECK(dy[0] == 10);
  });
}

TEST_CASE("without groups every rank has its own loss; a loss scale is for gradients alone") {
  auto weights = with(1, 0);
  weights.options.loss_scale = 8;
  in_frames<ep>(mesh<ep>{2}, weights, [](auto& frame, int rank) {
    doubles const mine = rank == 0 ? doubles{ln3, 0} : doubles{0, 0};
    auto const x = logits_of(mine, 2);
    run(losses<dealt_over<>, balance>{}, frame, x);
    double const p = rank == 0 ? 0.75 : 0.5;
    CHECK(frame.report.aux == doctest::Approx(2 * p));  // E / (K T^2) n_0 p_0, also where the tie goes to expert 0
    doubles const dy{0, 0};
    kept<activation<double const>> const saved{{x}};
    auto const dx = run(losses<dealt_over<>, balance>::conjugate{}, frame, saved, logits_of(dy, 2));
    CHECK(dx.data(0, 0) == doctest::Approx(8 * 2 * p * (1 - p)));
    CHECK(dx.data(0, 1) == doctest::Approx(-8 * 2 * p * (1 - p)));
  });
}

TEST_CASE("coefficients of zero: nobody speaks, NaN logits do no harm") {
  in_frames<ep>(mesh<ep>{2}, with(0, 0), [](auto& frame, int) {
    doubles const mine{NAN, NAN};
    auto const x = logits_of(mine, 2);
    index_t const before = frame.template communicator<ep>().bytes_sent();
    frame.report.aux = 5;
    run(losses<dealt_over<ep>, balance, z_loss>{}, frame, x);
    CHECK(frame.template communicator<ep>().bytes_sent() == before);
    CHECK(frame.report.aux == 0);
    doubles const dy{1, 2};
    kept<activation<double const>> const saved{{x}};
    auto const dx = run(losses<dealt_over<ep>, balance, z_loss>::conjugate{}, frame, saved, logits_of(dy, 2));
    CHECK(dx.data(0, 1) == 2);
  });
}

TEST_CASE("no token anywhere: losses of zero") {
  in_frames<ep>(mesh<ep>{2}, with(1, 1), [](auto& frame, int) {
    doubles const none;
    run(losses<dealt_over<ep>, balance, z_loss>{}, frame, logits_of(none, 2));
    CHECK(frame.report.aux == 0);
    CHECK(frame.report.z == 0);
  });
}
