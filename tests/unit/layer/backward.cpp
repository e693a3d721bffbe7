// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/backward.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/layer.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;
using namespace numbers;
using support::matrix_of;
using support::vector_of;

namespace {

template <class View>
list read_all(View of) {
  return {of.data(), of.data() + of.count()};
}
/// `body(execution, workspace)` on one rank.
template <class Body>
void alone(Body const& body) {
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) { body(tools.execution); });
}
// y = x w^T + b with w = [[1, 2], [3, 4], [5, 6]].
list const w{1, 2, 3, 4, 5, 6};
list const b{1, 1, 1};
linear<float> const weights{matrix_of(w, 3, 2), 3, 2, vector_of(b)};
list const x{1, 10, 100, 1000};  // two tokens
list const dy{1, 2, 3, 4, 5, 6};
list const dx{1 + 6 + 15, 2 + 8 + 18, 4 + 15 + 30, 8 + 20 + 36};
list const dw{401, 4010, 502, 5020, 603, 6030};
list const db{5, 7, 9};

}  // namespace

TEST_CASE("backward: the gradients of the input and of the parameters") {
  alone([](auto& execution) {
    auto const [y, saved] = forward<replicated_linear>(execution, weights, support::rows_of(x, 2, 2));
    CHECK(read(y) == list{22, 44, 66, 2101, 4301, 6501});
    auto const [back, gradients] = backward<replicated_linear>(execution, weights, saved, support::rows_of(dy, 2, 3));
    CHECK(read(back) == dx);
    CHECK(back.full_hidden == 2);
    CHECK(read_all(gradients.weight) == dw);
    CHECK(read_all(gradients.bias) == db);
    CHECK(dy == list{1, 2, 3, 4, 5, 6});
  });
}

TEST_CASE("backward: gradients of the caller are added to, micro-batch after micro-batch") {
  alone([](auto& execution) {
    auto const sums = zero_gradients(execution, weights);
    for (int batch = 1; batch <= 3; ++batch) {
      auto const step = forward<replicated_linear>(execution, weights, value(x, 2, 2));
      auto const result = backward<replicated_linear>(execution, weights, step.saved, value(dy, 2, 3), sums);
      CHECK(read(result.dx) == dx);
      CHECK(result.gradients.weight.data() == sums.weight.data());
      CHECK(sums.bias.data()[2] == static_cast<float>(9 * batch));
      CHECK(sums.weight.data()[5] == static_cast<float>(6030 * batch));
    }
  });
}

TEST_CASE("backward: the data gradient first, the weights' when the caller wants them") {
  alone([](auto& execution) {
    auto const step = forward<replicated_linear>(execution, weights, value(x, 2, 2));
    auto const data = backward_data<replicated_linear>(execution, weights, step.saved, value(dy, 2, 3));
    CHECK(read(data.dx) == dx);
    auto const sums = zero_gradients(execution, weights);
    CHECK(read_all(sums.weight) == list(6, 0.0F));
    backward_weights<replicated_linear>(execution, weights, step.saved, data.pending, sums);
    CHECK(read_all(sums.weight) == dw);
    CHECK(read_all(sums.bias) == db);
  });
}

TEST_CASE("backward: a layer goes back style by style, each with its own weights; some have none") {
  list const up{1, 0, 0, 1, 1, 0, 0, 1};  // gate = x, up = x
  list const down{1, 0, 0, 1};
  using mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
  std::tuple const parameters{linear<float>{matrix_of(up, 4, 2), 4, 2}, linear<float>{matrix_of(down, 2, 2), 2, 2}};
  alone([&](auto& execution) {
    list const input{0, 30};  // silu(0) = 0 with slope 1/2, silu(30) = 30 with slope 1
    list const ones{1, 2};
    auto const [y, saved] = forward<mlp>(execution, parameters, support::rows_of(input, 1, 2));
    CHECK(read(y) == list{0, 900});
    auto const [back, gradients] = backward<mlp>(execution, parameters, saved, support::rows_of(ones, 1, 2));
    CHECK(read(back)[0] == 0);
    CHECK(read(back)[1] == doctest::Approx(2 * 2 * 30));  // y = x^2
    CHECK(read_all(std::get<1>(gradients).weight) == list{0, 900, 0, 1800});
    auto const first = read_all(std::get<0>(gradients).weight);  // gate rows, then up rows
    CHECK(first[3] == doctest::Approx(2 * 30 * 30));
    CHECK(first[7] == doctest::Approx(2 * 30 * 30));
    CHECK(first[0] + first[1] + first[2] + first[4] + first[5] + first[6] == 0);
  });
}

TEST_CASE("backward: a step with two results takes two gradients") {
  sliced_linear<float> const sliced{{matrix_of(w, 3, 2), 3, 2}, 2};
  alone([&](auto& execution) {
    auto const [y, saved] = forward<mla_kv_a_proj<tp>>(execution, sliced, support::rows_of(x, 2, 2));
    CHECK(std::get<0>(y).data.template size<hidden>() == 2);
    list const latent{1, 2, 4, 5};
    list const rope{3, 6};
    auto const [back, gradients] =
        backward<mla_kv_a_proj<tp>>(execution, sliced, saved, std::tuple{value(latent, 2, 2), value(rope, 2, 1)});
    CHECK(read(back) == dx);
    CHECK(read_all(gradients.projection.weight) == dw);
  });
}

TEST_CASE("backward: no tokens") {
  alone([](auto& execution) {
    list const none;
    auto const [y, saved] = forward<replicated_linear>(execution, weights, support::rows_of(none, 0, 2));
    auto const [back, gradients] = backward<replicated_linear>(execution, weights, saved, support::rows_of(none, 0, 3));
    CHECK(back.data.template size<tokens>() == 0);
    CHECK(back.data.template size<hidden>() == 2);
    CHECK(read_all(gradients.weight) == list(6, 0.0F));
  });
}

TEST_CASE("backward: a gradient of another width is refused with both numbers") {
  alone([](auto& execution) {
    auto const step = forward<replicated_linear>(execution, weights, value(x, 2, 2));
    try {
      static_cast<void>(backward<replicated_linear>(execution, weights, step.saved, value(dx, 2, 2)));
      FAIL("no error");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::shape);
      CHECK(problem.text().find("2") != std::string::npos);
      CHECK(problem.text().find("3") != std::string::npos);
    }
  });
}
