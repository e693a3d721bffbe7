// SPDX-License-Identifier: Apache-2.0
// Shared experts of every activation and layout, alone on one rank, against the oracle's network token by token.
#include "../support/oracle_expert.hpp"

#include <doctest/doctest.h>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;
using oracle::activation_kind;

namespace {

template <class Activation>
void check(activation_kind kind, bool interleaved) {
  constexpr index_t height = 7, width = 5, ffn = 3;
  index_t const lines = oracle::gated(kind) ? 2 * ffn : ffn;
  auto const x = support::distinct({height, width}, 1, 1.5);
  auto const dy = support::distinct({height, width}, 2);
  auto const w1 = support::distinct({lines, width}, 3);
  auto const w2 = support::distinct({width, ffn}, 4);
  auto w1_gradient = std::vector<double>(w1.data.size());
  auto w2_gradient = std::vector<double>(w2.data.size());
  moe_weights<double> weights{};
  weights.shared.fc1 = {.weight = support::matrix_of(w1.data, lines, width), .full_out = lines, .full_in = width};
  weights.shared.fc2 = {.weight = support::matrix_of(w2.data, width, ffn), .full_out = width, .full_in = ffn};
  host::reference_gemm gemm;
  host::workspace scratch;
  host::no_groups none;
  host::execution execution{gemm, none, scratch};
  using style = shared_expert<sequence<Activation>>;
  auto const [y, saved] = forward<style>(execution, weights, support::rows_of(x.data, height, width));
  auto const [dx, gradients] = backward<style>(execution, weights, saved, support::rows_of(dy.data, height, width));
  auto const close = [](double got, double want) { CHECK(std::abs(got - want) <= 1e-10); };
  for (index_t t = 0; t < height; ++t) {
    auto const row = [&](support::tensor const& of) {
      return oracle::numbers{oracle::row(of, t), oracle::row(of, t) + width};
    };
    oracle::pass const want{{w1.data.data(), nullptr, w2.data.data(), nullptr, width, ffn, kind, interleaved}, row(x)};
    auto const back = want.backward(row(dy), {w1_gradient.data(), nullptr, w2_gradient.data(), nullptr});
    for (index_t h = 0; h < width; ++h) {
      close(y.data(t, h), want.output()[oracle::at(h)]);
      close(dx.data(t, h), back[oracle::at(h)]);
    }
  }
  for (index_t i = 0; i < lines * width; ++i) close(gradients.shared.fc1.weight.data()[i], w1_gradient[oracle::at(i)]);
  for (index_t i = 0; i < width * ffn; ++i) close(gradients.shared.fc2.weight.data()[i], w2_gradient[oracle::at(i)]);
}
template <class Activation>
using in_pairs = glu<Activation, placement<>, placement<>, interleaved>;

}  // namespace

TEST_CASE("shared experts with a gated activation, gate and up in halves and in pairs") {
  check<glu<silu>>(activation_kind::swiglu, false);
  check<in_pairs<silu>>(activation_kind::swiglu, true);
  check<glu<gelu>>(activation_kind::geglu, false);
  check<in_pairs<quick_gelu>>(activation_kind::quick_geglu, true);
  check<glu<gpt_oss>>(activation_kind::gpt_oss, false);
  check<in_pairs<gpt_oss>>(activation_kind::gpt_oss, true);
}
TEST_CASE("shared experts with a plain activation") {
  check<activate<squared_relu>>(activation_kind::squared_relu, false);
  check<activate<relu>>(activation_kind::relu, false);
  check<activate<gelu>>(activation_kind::gelu, false);
}
