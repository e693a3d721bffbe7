// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/score.hpp>

#include <doctest/doctest.h>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

template <class Score, class Real>
void check(oracle::score kind, double tolerance, int lanes) {
  for (index_t count : {1, 5, 32, 70}) {
    auto x = sample::numbers<Real>(count, static_cast<std::uint32_t>(count));
    for (Real& value : x) value *= 30;
    oracle::row const z(x.begin(), x.end());
    oracle::row const expected = oracle::scores(kind, z);
    auto const body = [&](auto const& team) {
      auto const term = Score::of_row(team, count, x.data());
      for (index_t i = team.rank(); i < count; i += team.size()) {
        auto const at = static_cast<std::size_t>(i);
        CHECK(std::abs(static_cast<double>(term(x[at])) - expected[at]) <= tolerance * expected[at]);
        if constexpr (!Score::over_row) {
          auto const slope =
              oracle::differences([&](oracle::row const& one) { return oracle::scores(kind, one)[0]; }, {z[at]})[0];
          CHECK(static_cast<double>(term.slope(x[at])) == doctest::Approx(slope).epsilon(1e-5).scale(1e-4));
        }
      }
    };
    if (lanes == 0) body(serial_team{});
    else sample::with_team(lanes, body);
  }
}

template <class Term, class Real>
void check_ends() {
  Term const term{};
  for (Real far : {Real{-1e4F}, Real{-700}, Real{-90}, Real{90}, Real{700}, Real{1e4F}}) {
    CHECK_UNARY(term(far) >= 0);
    CHECK_UNARY(term.slope(far) >= 0);
    CHECK_UNARY(term.slope(far) < Real{1});
  }
  CHECK_UNARY(std::isnan(term(std::numeric_limits<Real>::quiet_NaN())));
}

}  // namespace

TEST_CASE("score: each policy against its formula, slopes against differences") {
  for (int lanes : {0, 3}) {
    check<kernel::softmax_score, double>(oracle::score::softmax, 1e-13, lanes);
    check<kernel::softmax_score, float>(oracle::score::softmax, 6e-6, lanes);  // e^x of |x| < 60 rounds x first
    check<kernel::sigmoid_score, double>(oracle::score::sigmoid, 1e-14, lanes);
    check<kernel::sigmoid_score, float>(oracle::score::sigmoid, 1e-6, lanes);
    check<kernel::sqrtsoftplus_score, double>(oracle::score::sqrtsoftplus, 1e-14, lanes);
    check<kernel::sqrtsoftplus_score, float>(oracle::score::sqrtsoftplus, 1e-6, lanes);
  }
}

TEST_CASE("score: far from zero nothing overflows, and a NaN stays one") {
  check_ends<kernel::sigmoid_term<float>, float>();
  check_ends<kernel::sigmoid_term<double>, double>();
  check_ends<kernel::sqrtsoftplus_term<float>, float>();
  check_ends<kernel::sqrtsoftplus_term<double>, double>();
}

TEST_CASE_TEMPLATE("score: infinite logits", Real, float, double) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  CHECK(kernel::sigmoid_term<Real>{}(infinity) == 1);
  CHECK(kernel::sigmoid_term<Real>{}(-infinity) == 0);
  CHECK(kernel::sqrtsoftplus_term<Real>{}(infinity) == infinity);
  CHECK(kernel::sqrtsoftplus_term<Real>{}(-infinity) == 0);
  std::vector<Real> some{0, -infinity, 0}, all(3, -infinity), one{0, infinity, 0};
  auto const softmax = [](std::vector<Real> const& x, std::size_t i) {
    return kernel::softmax_score::of_row(serial_team{}, 3, x.data())(x[i]);
  };
  CHECK(softmax(some, 0) == Real{0.5F});
  CHECK(softmax(some, 1) == 0);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::isnan(softmax(all, i)));
    CHECK(std::isnan(softmax(one, i)));
  }
}

TEST_CASE("score: what is far on the left keeps its precision") {
  CHECK(kernel::sigmoid_term<double>{}.slope(-300.0) == doctest::Approx(std::exp(-300.0)).epsilon(1e-13).scale(0));
  CHECK(kernel::sigmoid_term<double>{}.slope(300.0) == doctest::Approx(std::exp(-300.0)).epsilon(1e-13).scale(0));
  for (double x : {-39.9, -40.1, -80.0, -700.0, -1200.0}) {
    CHECK(kernel::sqrtsoftplus_term<double>{}(x) == doctest::Approx(std::exp(x / 2)).epsilon(1e-13).scale(0));
    CHECK(kernel::sqrtsoftplus_term<double>{}.slope(x) == doctest::Approx(std::exp(x / 2) / 2).epsilon(1e-13).scale(0));
  }
  CHECK(kernel::sqrtsoftplus_term<float>{}(-150.0F) == doctest::Approx(std::exp(-75.0)).epsilon(1e-6).scale(0));
}
