// SPDX-License-Identifier: Apache-2.0
// The loss that keeps router logits small, and its gradient: coeff times the mean of log(sum_i e^z_i)^2 over the tokens
// of all ranks that are no padding. Each rank sums its own (`z_terms`, `z_sums`), the caller adds these up over the
// ranks, and every rank computes the same loss (`z_loss`, `conclude_z`) and the gradient of its tokens (`z_grad`).
#pragma once

#include <heddle/kernel/score.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// log(sum_i e^x_i) of a row whose softmax is known.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real log_sum(softmax_term<Real> const& softmax) {
  return softmax.largest + logarithm(softmax.sum);
}

/// terms[t] = the squared log of the sum of token t, 0 for padding. logits [T, E], terms [T], padding [T] or empty.
template <class Real, class Memory = host_memory>
struct z_terms {
  rows<Real const, Memory> logits;
  per_row<bool const, Memory> padding{};
  per_row<Real, Memory> terms;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    bool const absent = padding.data() != nullptr && padding(row);
    Real const log = log_sum(softmax_of_row(team, logits.row_size(), logits.row(row)));
    if (team.rank() == 0) terms(row) = absent ? Real{} : log * log;
  }
};

/// sums[0] = the sum of the terms [T], sums[1] = the number of tokens that are no padding; both f64, as in
/// `balance_sums`. It is launched over one row.
template <class Real, class Memory = host_memory>
struct z_sums {
  per_row<Real const, Memory> terms;
  per_row<bool const, Memory> padding{};
  per_row<double, Memory> sums;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    double const total =
        sum_row<double>(team, terms.count(), [this](index_t t) { return static_cast<double>(terms(t)); });
    double const present = sum_row<double>(
        team, terms.count(), [this](index_t t) { return padding.data() != nullptr && padding(t) ? 0.0 : 1.0; });
    if (team.rank() == 0) {
      sums(0) = total;
      sums(1) = present;
    }
  }
};

/// The loss from the sums over all ranks; 0 where there is no token.
template <class Memory>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr double z_loss(per_row<double, Memory> sums, double coeff) {
  return sums(1) == 0 ? 0 : coeff * sums(0) / sums(1);
}

/// loss [1] = `z_loss`. It is launched over one row.
template <class Memory = host_memory>
struct conclude_z {
  per_row<double, Memory> sums;
  double coeff = 0;
  per_row<double, Memory> loss;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    if (team.rank() == 0) loss(0) = z_loss(sums, coeff);
  }
};

/// Adds the gradient of `z_loss` to dlogits [T, E]: 2 coeff log_sum p_i / tokens, with p the softmax. `tokens`
/// points to sums[1] over all ranks.
template <class Real, class Memory = host_memory>
struct z_grad {
  rows<Real const, Memory> logits;
  per_row<bool const, Memory> padding{};
  double coeff = 0;
  double const* tokens = nullptr;
  rows<Real, Memory> dlogits;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (padding.data() != nullptr && padding(row)) return;
    index_t const experts = logits.row_size();
    Real const* const x = logits.row(row);
    Real* const dx = dlogits.row(row);
    auto const p = softmax_of_row(team, experts, x);
    Real const factor = static_cast<Real>(2 * coeff / *tokens) * log_sum(p);
    fill_row(team, experts, dx, [=](index_t i) { return dx[i] + factor * p(x[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
