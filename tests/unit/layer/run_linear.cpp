// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_linear.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;
using support::matrix_of;
using support::vector_of;

namespace {

using plain = placement<>;

}  // namespace

TEST_CASE("gemm and bias") {
  list const w{1, 0, 0, 2, 1, 1};
  list const b{100, 200, 300};
  linear<float> const weights{matrix_of(w, 3, 2), 3, 2, vector_of(b)};
  in_frames<tp>(mesh<tp>{1}, weights, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    auto const y = run(gemm<plain, plain, plain>{}, frame, value(x, 2, 2));
    CHECK(read(y) == list{1, 4, 3, 3, 8, 7});
    CHECK(y.full_hidden == 3);
    auto const z = run(add_bias<plain, plain>{}, frame, y);
    CHECK(z.data.data() == y.data.data());
    CHECK(read(z) == list{101, 204, 303, 103, 208, 307});
  });
}

TEST_CASE("a layer without bias passes through") {
  list const w{1, 1};
  in_frames<tp>(mesh<tp>{1}, linear<float>{matrix_of(w, 1, 2), 1, 2}, [](auto& frame, int) {
    list const x{1, 2};
    auto const y = run(gemm<plain, plain, plain>{}, frame, value(x, 1, 2));
    CHECK(read(run(add_bias<plain, plain>{}, frame, y)) == list{3});
  });
}

TEST_CASE("a bias alone is added to a copy of the caller's memory") {
  list const b{1, 2};
  in_frames<tp>(mesh<tp>{1}, linear<float>{.weight = {}, .bias = vector_of(b)}, [](auto& frame, int) {
    list const x{5, 6};
    CHECK(read(run(add_bias<plain, plain>{}, frame, value(x, 1, 2))) == list{6, 8});
    CHECK(x == list{5, 6});
  });
}

TEST_CASE("a router's logits are f32 where activations are bf16, whatever its bias") {
  std::vector<bf16> const w{bf16{1.0F}, bf16{0.00390625F}};
  std::vector<bf16> const b{bf16{1.0F}};
  moe_weights<bf16> weights{};
  weights.gate = {matrix_of(w, 1, 2), 1, 2};
  in_frames<tp>(mesh<tp>{1}, weights, [&](auto& frame, int) {
    std::vector<bf16> const x{bf16{256.0F}, bf16{1.0F}};
    activation<bf16 const> const in{support::rows_of(x, 1, 2), 2};
    auto const y = run(gemm<plain, plain, plain, gate_role>{}, frame, in);
    static_assert(std::same_as<std::remove_cvref_t<decltype(y)>, activation<float>>);
    CHECK(read(y) == list{256.00390625F});  // bf16 would have 256
    CHECK(read(run(add_bias<plain, plain, gate_role>{}, frame, y)) == list{256.00390625F});
  });
  weights.gate.bias = vector_of(b);
  in_frames<tp>(mesh<tp>{1}, weights, [&](auto& frame, int) {
    list logits{0.00390625F};
    activation<float> const y{{logits.data(), extents<tokens, hidden>{1, 1}}, 1};
    CHECK(read(run(add_bias<plain, plain, gate_role>{}, frame, y)) == list{1.00390625F});
  });
}

TEST_CASE("gradients of a product and of a bias: of the input, and added to those of the parameters") {
  list const w{1, 2, 3, 4, 5, 6};  // [3, 2]
  list const b{100, 200, 300};
  list const x{1, 10, 2, 20};
  list const dy{1, 2, 3, 4, 5, 6};
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    linear<float> const weights{matrix_of(w, 3, 2), 3, 2, vector_of(b)};
    list dw(6, 1.0F);
    list db(3, 1.0F);
    linear_gradient<float> const gradients{{dw.data(), extents<out_features, in_features>{3, 2}},
                                           {db.data(), extents<hidden>{3}}};
    step_state<> state;
    frame step{tools.execution, weights, state, gradients};
    kept<activation<float const>> const saved{{value(x, 2, 2)}};
    auto const dx = run(dgrad<plain, plain, plain>{}, step, saved, value(dy, 2, 3));
    CHECK(read(dx) == list{22, 28, 49, 64});
    CHECK(dx.full_hidden == 2);
    accumulate(gemm<plain, plain, plain>{}, step, saved, value(dy, 2, 3));
    CHECK(dw == list{10, 91, 13, 121, 16, 151});  // 1 + the sum over tokens
    CHECK(run(bias_grad<plain, plain>{}, step, value(dy, 2, 3)).data.data() == dy.data());
    accumulate(add_bias<plain, plain>{}, step, value(dy, 2, 3));
    CHECK(db == list{6, 8, 10});
    accumulate(add_bias<plain, plain>{}, step, value({}, 0, 3));
    CHECK(db == list{6, 8, 10});
    CHECK(gradient_of(gemm<plain, plain, plain>{}, gradients).data() == dw.data());
    CHECK(gradient_of(add_bias<plain, plain>{}, gradients).data() == db.data());
    CHECK_THROWS_AS(static_cast<void>(run(dgrad<plain, plain, plain>{}, step, saved, value(dy, 3, 2))), error);
  });
}

TEST_CASE("a bias that is not there has no gradient") {
  list const w{1, 1};
  list const dy{1, 2};
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    linear<float> const weights{matrix_of(w, 1, 2), 1, 2};
    step_state<> state;
    frame step{tools.execution, weights, state, linear_gradient<float>{}};
    accumulate(add_bias<plain, plain>{}, step, value(dy, 2, 1));
  });
}

TEST_CASE("the gradient of a router's logits is wider than the activations it comes back to") {
  std::vector<bf16> const w{bf16{1.0F}, bf16{0.5F}};
  std::vector<bf16> const x{bf16{2.0F}, bf16{4.0F}};
  list const dy{1.00390625F};  // bf16 would have 1
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    moe_weights<bf16> weights{};
    weights.gate = {matrix_of(w, 1, 2), 1, 2};
    list dw(2, 0.0F);
    moe_gradients<bf16> gradients{};
    gradients.gate.weight = {dw.data(), extents<out_features, in_features>{1, 2}};
    step_state<> state;
    frame step{tools.execution, weights, state, gradients};
    kept<activation<bf16 const>> const saved{{{support::rows_of(x, 1, 2), 2}}};
    auto const dx = run(dgrad<plain, plain, plain, gate_role>{}, step, saved, value(dy, 1, 1));
    static_assert(std::same_as<std::remove_cvref_t<decltype(dx)>, activation<bf16>>);
    accumulate(gemm<plain, plain, plain, gate_role>{}, step, saved, value(dy, 1, 1));
    CHECK(dw == list{2.0078125F, 4.015625F});
  });
}
