// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/gradient_norm.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>
#include <limits>

using namespace heddle;
using namespace numbers;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float no_number = std::numeric_limits<float>::quiet_NaN();

/// Gradients of a linear layer [out, in] without a bias.
linear_gradient<float> gradient_of(list& data, index_t out, index_t in) {
  return {{data.data(), extents<out_features, in_features>{out, in}}};
}
template <class Norm, class Tools>
double norm_of(Tools& tools, list data) {
  gradient_norm<Norm> norm;
  auto const count = static_cast<index_t>(data.size());
  norm.template add<replicated_linear>(tools.execution, gradient_of(data, count, 1));
  return norm.over(tools.execution);
}
template <class Body>
void alone(Body const& body) {
  support::on_ranks<tp>(mesh<tp>{1}, 1, body);
}

/// A weight cut twice.
struct experts_style {
  static constexpr fixed_string name = "experts";
  using weight = placement<>;
  using bias = placement<>;
  using cut = placement<on<ep, sharded<experts>>, on<etp, sharded<out_features>>>;
  using forward = sequence<gemm<placement<on<etp, varying>>, placement<on<etp, sharded<hidden>>>, cut>>;
  using backward = conjugate_t<forward>;
};

}  // namespace

TEST_CASE("gradient_norm: p = 1, 2 and infinity, and 0 for nothing") {
  alone([](auto& tools) {
    CHECK(norm_of<norm_1>(tools, {3, -4}) == 7);
    CHECK(norm_of<norm_2>(tools, {3, -4}) == 5);
    CHECK(norm_of<norm_inf>(tools, {3, -4}) == 4);
    CHECK(norm_of<norm_1>(tools, {}) == 0);
    CHECK(norm_of<norm_2>(tools, {}) == 0);
    CHECK(norm_of<norm_inf>(tools, {}) == 0);
    CHECK(gradient_norm<norm_2, tp>{}.over(tools.execution) == 0);
  });
}

TEST_CASE("gradient_norm: NaN and infinity are passed on, from any rank") {
  alone([](auto& tools) {
    for (float const bad : {infinity, -infinity}) {
      CHECK(norm_of<norm_1>(tools, {3, bad, 1}) == infinity);
      CHECK(norm_of<norm_2>(tools, {3, bad, 1}) == infinity);
      CHECK(norm_of<norm_inf>(tools, {3, bad, 1}) == infinity);
    }
    CHECK(std::isnan(norm_of<norm_1>(tools, {3, no_number, 1})));
    CHECK(std::isnan(norm_of<norm_2>(tools, {3, no_number, 1})));
    CHECK(std::isnan(norm_of<norm_inf>(tools, {infinity, no_number, 1})));
  });
  for (int bad = 0; bad < 3; ++bad) {
    support::on_ranks<tp>(mesh<tp>{3}, 1, [&](auto& tools) {
      list data{1, tools.rank == bad ? no_number : 1};
      gradient_norm<norm_inf, tp> norm;
      norm.template add<colwise<tp>>(tools.execution, gradient_of(data, 2, 1));
      CHECK(std::isnan(norm.over(tools.execution)));
    });
  }
}

TEST_CASE("gradient_norm: cut parameters count with all their parts, whole ones once, stages all") {
  // On each of 2 stages of 3 ranks: a colwise part {rank + 1}, and a norm's scale {10} that all ranks have.
  using grid = mesh<tp, pp>;
  support::on_ranks<tp, pp>(grid{3, 2}, 1, [&](auto& tools) {
    int const place = tools.grid.template coordinate<tp>(tools.rank);
    int const stage = tools.grid.template coordinate<pp>(tools.rank);
    list part{static_cast<float>(place + 1 + 3 * stage)}, scale{10};
    gradient_norm<norm_1, tp> norm;
    norm.template add<layer<replicated_norm, colwise<tp>>>(
        tools.execution,
        std::tuple{vector_gradient<float>{{scale.data(), extents<hidden>{1}}}, gradient_of(part, 1, 1)});
    CHECK(norm.over(tools.execution) == (stage == 0 ? 10 + 1 + 2 + 3 : 10 + 4 + 5 + 6));
    CHECK(norm.template over<pp>(tools.execution) == 20 + 21);
    CHECK(norm.template over<pp>(tools.execution) == 20 + 21);  // asking changes nothing
  });
}

TEST_CASE("gradient_norm: parts of one parameter over two groups, uneven and empty ones among them") {
  // 5 numbers over ep, of which rank 2 has none, times 2 parts over etp.
  support::on_ranks<etp, ep>(mesh<etp, ep>{2, 3}, 1, [&](auto& tools) {
    range const mine = ceil_chunk::piece(4, 3, tools.grid.template coordinate<ep>(tools.rank));
    list data;
    for (std::int64_t i = mine.begin; i < mine.end(); ++i)
      data.push_back(static_cast<float>(1 + i + 10 * tools.grid.template coordinate<etp>(tools.rank)));
    double squares = 0;
    for (int const n : {1, 2, 3, 4, 11, 12, 13, 14}) squares += n * n;
    gradient_norm<norm_2, ep, etp> both;
    both.template add<experts_style>(tools.execution, gradient_of(data, mine.size, 1));
    CHECK(both.over(tools.execution) == doctest::Approx(std::sqrt(squares)));
    gradient_norm<norm_inf, etp, ep> largest;
    largest.template add<experts_style>(tools.execution, gradient_of(data, mine.size, 1));
    CHECK(largest.over(tools.execution) == 14);
  });
}

TEST_CASE("gradient_norm: a gradient that two styles share counts once") {
  alone([](auto& tools) {
    list data{3, 4};
    auto const shared = gradient_of(data, 2, 1);
    gradient_norm<norm_2> norm;
    norm.template add<layer<replicated_linear, replicated_linear>>(tools.execution, std::tuple{shared, shared});
    CHECK(norm.over(tools.execution) == 5);
    CHECK(clip_gradients<layer<replicated_linear, replicated_linear>>(tools.execution, std::tuple{shared, shared}, 1,
                                                                      5) == doctest::Approx(0.2));
    CHECK(data[0] == doctest::Approx(0.6F));
    CHECK(data[1] == doctest::Approx(0.8F));
  });
}

TEST_CASE("clip_gradients: only what is longer than allowed, weight and bias alike") {
  alone([](auto& tools) {
    list w{3, 0, -4}, b{12};
    linear_gradient<float> const gradients{{w.data(), extents<out_features, in_features>{3, 1}},
                                           {b.data(), extents<hidden>{1}}};
    CHECK(clip_gradients<replicated_linear>(tools.execution, gradients, 13.5, 13) == 1);
    CHECK(w == list{3, 0, -4});
    CHECK(clip_gradients<replicated_linear>(tools.execution, gradients, 6.5, 13) == doctest::Approx(0.5));
    CHECK(w[0] == doctest::Approx(1.5F));
    CHECK(w[1] == 0);
    CHECK(w[2] == doctest::Approx(-2.0F));
    CHECK(b[0] == doctest::Approx(6.0F));
    gradient_norm<norm_2> norm;
    norm.template add<replicated_linear>(tools.execution, gradients);
    CHECK(norm.over(tools.execution) == doctest::Approx(6.5));
  });
}

TEST_CASE("clip_gradients: a norm that is no number shows in every gradient; an infinite one leaves zeros") {
  alone([](auto& tools) {
    list w{1, 2};
    clip_gradients<replicated_linear>(tools.execution, gradient_of(w, 2, 1), 1, infinity);
    CHECK(w == list{0, 0});
    clip_gradients<replicated_linear>(tools.execution, gradient_of(w, 2, 1), 1, no_number);
    CHECK(std::isnan(w[0]));
    CHECK(std::isnan(w[1]));
  });
}
