// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/expert_products.hpp>

#include "../../support/tensors.hpp"

#include <doctest/doctest.h>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>

using namespace heddle;

namespace {

constexpr index_t in = 3;
constexpr index_t out = 4;
using reals = std::vector<double>;

/// Three experts with 2, 0 and 3 rows; matrices [out, in] and the same transposed.
struct data {
  std::vector<index_t> counts{2, 0, 3};
  support::tensor x = support::distinct({5, in}, 1), dy = support::distinct({5, out}, 2);
  support::tensor w = support::distinct({3, out, in}, 3);
  reals transposed = [this] {
    reals t(w.data.size());
    for (index_t e = 0; e < 3; ++e)
      for (index_t o = 0; o < out; ++o)
        for (index_t i = 0; i < in; ++i) t[at(e * in * out + i * out + o)] = w.data[at((e * out + o) * in + i)];
    return t;
  }();
  static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] index_t expert(index_t row) const { return row < 2 ? 0 : 2; }
};

template <class Mode, class Weights, class Gradient, class IndexOf>
void check(data const& d, Weights weights, Gradient gradient, IndexOf index_of) {
  host::reference_gemm gemm;
  host::no_groups none;
  host::workspace scratch;
  host::execution execution{gemm, none, scratch};
  reals y(5 * out), dx(5 * in);
  std::span<index_t const> const counts{d.counts};
  rows<double const> const x = support::rows_of(d.x.data, 5, in);
  rows<double const> const dy = support::rows_of(d.dy.data, 5, out);
  detail::to_outputs<Mode>(execution, x, counts, weights, rows<double>{y.data(), {5, out}});
  detail::to_inputs<Mode>(execution, dy, counts, weights, rows<double>{dx.data(), {5, in}});
  detail::add_outer<Mode>(execution, dy, counts, x, gradient);
  reals dw(d.w.data.size(), 100);
  for (index_t r = 0; r < 5; ++r) {
    index_t const e = d.expert(r);
    for (index_t o = 0; o < out; ++o) {
      double sum = 0;
      for (index_t i = 0; i < in; ++i) {
        sum += x(r, i) * d.w.data[data::at((e * out + o) * in + i)];
        dw[data::at((e * out + o) * in + i)] += dy(r, o) * x(r, i);
      }
      CHECK(y[data::at(r * out + o)] == doctest::Approx(sum).epsilon(1e-13));
    }
    for (index_t i = 0; i < in; ++i) {
      double sum = 0;
      for (index_t o = 0; o < out; ++o) sum += dy(r, o) * d.w.data[data::at((e * out + o) * in + i)];
      CHECK(dx[data::at(r * in + i)] == doctest::Approx(sum).epsilon(1e-13));
    }
  }
  for (index_t e = 0; e < 3; ++e)
    for (index_t o = 0; o < out; ++o)
      for (index_t i = 0; i < in; ++i)
        CHECK(gradient.data()[index_of(e, o, i)] ==
              doctest::Approx(dw[data::at((e * out + o) * in + i)]).epsilon(1e-13));
}

template <class Mode>
void check_both() {
  data const d;
  reals gradient(d.w.data.size(), 100);
  check<Mode>(d, support::matrices_of(d.w.data, 3, out, in),
              matrices<double>{gradient.data(), extents<experts, out_features, in_features>{3, out, in}},
              [](index_t e, index_t o, index_t i) { return (e * out + o) * in + i; });
  reals swapped(d.w.data.size(), 100);
  using order = extents<experts, in_features, out_features>;
  check<Mode>(d, view<double const, order>{d.transposed.data(), order{3, in, out}},
              view<double, order>{swapped.data(), order{3, in, out}},
              [](index_t e, index_t o, index_t i) { return (e * in + i) * out + o; });
}

}  // namespace

TEST_CASE("three products of matrices stored either way, in one call and one by one") {
  check_both<grouped>();
  check_both<sequential>();
  check_both<aligned<1>>();
}
