// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_token_gate.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <memory>

using namespace heddle;
using namespace numbers;

TEST_CASE("token_gate: one weight a token from its logit, and the gradient from the weight that was kept") {
  list const z{-2, 0, 1, 3}, dy{1, 2, -3, 4};
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [&](auto& frame, int) {
    auto const y = run(token_gate<>{}, frame, value(z, 4, 1));
    static_assert(std::same_as<std::remove_const_t<decltype(y)>, row_gates<>>);
    REQUIRE(y.weights.count() == 4);
    auto const dz =
        run(token_gate_grad<>{}, frame, kept<row_gates<>>{{y}}, row_gates<>{{dy.data(), extents<tokens>{4}}});
    CHECK(dz.full_hidden == 1);
    for (index_t t = 0; t < 4; ++t) {
      double const open = 1 / (1 + std::exp(-double{z[static_cast<std::size_t>(t)]}));
      CHECK(y.weights(t) == doctest::Approx(open).epsilon(1e-6));
      CHECK(dz.data(t, 0) == doctest::Approx(dy[static_cast<std::size_t>(t)] * open * (1 - open)).epsilon(1e-5));
    }
    CHECK(run(token_gate<>{}, frame, value(z, 0, 1)).weights.count() == 0);
    CHECK_THROWS_AS(static_cast<void>(run(token_gate<>{}, frame, value(z, 2, 2))), error);
  });
}

TEST_CASE("mask_padding: zero rows on a copy of what is borrowed; without padding all stays; a mask must fit") {
  support::on_ranks<tp>(mesh<tp>{1}, 1, [](auto& tools) {
    step_state<> state;
    std::tuple<> const weights;
    frame step{tools.execution, weights, state};
    list const x = table(3, 2, 1);
    CHECK(read(run(mask_padding<>{}, step, value(x, 3, 2))) == x);
    auto const padding = std::make_unique<bool[]>(3);
    padding[1] = true;
    state.inputs.padding = {padding.get(), extents<tokens>{3}};
    auto const y = run(mask_padding<>{}, step, value(x, 3, 2));
    CHECK(read(y) == list{10, 11, 0, 0, 30, 31});
    CHECK(y.full_hidden == 2);
    CHECK(x == table(3, 2, 1));
    error_kind kind = error_kind::timeout;
    try {
      static_cast<void>(run(mask_padding<>{}, step, value(x, 2, 2)));
    } catch (error const& problem) {
      kind = problem.kind();
    }
    CHECK(kind == error_kind::shape);
  });
}
