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
