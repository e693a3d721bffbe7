// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_gate.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using floats = std::vector<float>;
using doubles = std::vector<double>;

doubles read(activation<double> x) { return {x.data.data(), x.data.data() + x.data.count()}; }
using numbers::read;

moe_weights<float> jittered(double width) {
  moe_weights<float> weights{};
  weights.options.jitter = width;
  return weights;
}

}  // namespace

TEST_CASE("jitter: noise by seed and token number, on a copy, the same for a gradient; none where it is not wanted") {
  floats const ones(12, 1.0F);
  support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
    step_state<> state;
    state.inputs.seed = 7;
    auto const run_on = [&](index_t first, index_t height, double width) {
      auto const weights = jittered(width);
      state.inputs.first_token = first;
      frame frame{tools.execution, weights, state};
      return read(run(jitter{}, frame, value(ones, height, 4)));
    };
    auto const all = run_on(5, 3, 0.25);
    for (float const y : all) CHECK((y >= 0.75F && y <= 1.25F && y != 1));
    CHECK(floats(all.begin() + 4, all.end()) == run_on(6, 2, 0.25));
    CHECK(all == run_on(5, 3, 0.25));
    CHECK(run_on(5, 3, 0) == ones);
    state.inputs.seed = 8;
    CHECK(run_on(5, 3, 0.25) != all);
    CHECK_THROWS_AS(static_cast<void>(run_on(5, 3, 1.5)), error);
    CHECK(ones == floats(12, 1.0F));
  });
}

TEST_CASE("wide_gemm: products and sums in double from float, forward and backward") {
  floats const w{1, 0x1p-30F, 3, 1};
  floats const bias{0x1p-40F, 0};
  moe_weights<float> weights{};
  weights.gate = {support::matrix_of(w, 2, 2), 2, 2, support::vector_of(bias)};
  support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
    step_state<> state;
    floats dw{1, 1, 1, 1}, db{0, 1};
    moe_gradients<float> gradients{};
    gradients.gate = {{dw.data(), extents<out_features, in_features>{2, 2}}, {db.data(), extents<hidden>{2}}};
    frame frame{tools.execution, weights, state, gradients};
    floats const x{1, 1, 2, -1};
    auto const in = value(x, 2, 2);
    auto const logits = run(wide_gemm<double>{}, frame, in);
    CHECK(read(run(add_bias<placement<>, placement<>, gate_role>{}, frame, logits)) ==
          doubles{1 + 0x1p-30 + 0x1p-40, 4, 2 - 0x1p-30 + 0x1p-40, 5});
    doubles const g{0x1p-30, 1, 0, 2};
    activation<double const> const dy{support::rows_of(g, 2, 2), 2};
    kept<activation<float const>> const saved{{in}};
    auto const dx = run(wide_dgrad<double>{}, frame, saved, dy);
    static_assert(std::same_as<std::remove_cvref_t<decltype(dx)>, activation<float>>);
    CHECK(read(dx) == floats{3 + 0x1p-30F, 1, 6, 2});
    accumulate(wide_gemm<double>{}, frame, saved, dy);
    CHECK(dw == floats{1, 1, 6, 0});  // 1 + 2^-30 is 1; 1 + 1 * 1 + 2 * 2, 1 + 1 * 1 - 2 * 1
    accumulate(add_bias<placement<>, placement<>, gate_role>{}, frame, dy);
    CHECK(db == floats{0x1p-30F, 4});
    floats const narrow{1, 2, 3};
    CHECK_THROWS_AS(static_cast<void>(run(wide_gemm<double>{}, frame, value(narrow, 1, 3))), error);
  });
}

TEST_CASE("wide_gemm: of parameters that are double already, and of no tokens") {
  doubles const w{1, 2};
  moe_weights<double> weights{};
  weights.gate = {support::matrix_of(w, 1, 2), 1, 2};
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    doubles const x{3, 4};
    activation<double const> const in{support::rows_of(x, 1, 2), 2};
    CHECK(read(run(wide_gemm<double>{}, frame, in)) == doubles{11});
    activation<double const> const none{support::rows_of(x, 0, 2), 2};
    CHECK(run(wide_gemm<double>{}, frame, none).data.count() == 0);
  });
}
