// SPDX-License-Identifier: Apache-2.0
// How router logits become scores, and how the gradient of scores becomes that of logits. A score policy looks at a row
// of logits once and gives a term: a function of one logit, with its slope where no other logit has a part in it.
#pragma once

#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// e^(x - largest) / sum: a softmax whose maximum and sum are known.
template <class Real>
struct softmax_term {
  Real largest;
  Real sum;
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real operator()(Real x) const { return exponential(x - largest) / sum; }
};

/// The softmax over a whole row. A NaN makes all of it NaN.
template <team Team, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE softmax_term<Real> softmax_of_row(Team const& team, index_t count, Real const* x) {
  Real const largest = max_row(team, count, static_cast<Real>(-__builtin_inf()), [x](index_t i) { return x[i]; });
  return {largest, sum_row<Real>(team, count, [x, largest](index_t i) { return exponential(x[i] - largest); })};
}

/// p_i = e^z_i / sum_j e^z_j; dz_i = p_i (dp_i - sum_j dp_j p_j).
struct softmax_score {
  static constexpr bool over_row = true;  ///< a score depends on every logit of the row
  template <team Team, class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static softmax_term<Real> of_row(Team const& team, index_t count, Real const* x) {
    return softmax_of_row(team, count, x);
  }
  /// Writes the scores of the row, too, with one exponential each.
  template <team Team, class Real>
  HEDDLE_HOST_DEVICE static softmax_term<Real> fill(Team const& team, index_t count, Real const* x, Real* scores) {
    Real const largest = max_row(team, count, static_cast<Real>(-__builtin_inf()), [x](index_t i) { return x[i]; });
    fill_row(team, count, scores, [x, largest](index_t i) { return exponential(x[i] - largest); });
    Real const sum = sum_row<Real>(team, count, [scores](index_t i) { return scores[i]; });  // of a lane's own elements
    fill_row(team, count, scores, [scores, sum](index_t i) { return scores[i] / sum; });
    return {largest, sum};
  }
};

/// 1 / (1 + e^-x), its slope e^-|x| / (1 + e^-|x|)^2.
template <class Real>
struct sigmoid_term {
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real operator()(Real x) const { return 1 / (1 + exponential(-x)); }
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real slope(Real x) const {
    Real const tail = exponential(x < 0 ? x : -x);
    return tail / ((1 + tail) * (1 + tail));
  }
};

/// Every expert by itself: DeepSeek-V3, Llama 4.
struct sigmoid_score {
  static constexpr bool over_row = false;
  template <team Team, class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static sigmoid_term<Real> of_row(Team const&, index_t, Real const*) {
    return {};
  }
};

/// sqrt(log(1 + e^x)), its slope sigmoid(x) / (2 sqrt(log(1 + e^x))). Far on the left both follow e^(x/2), which lasts
/// twice as far as the logarithm.
template <class Real>
struct sqrtsoftplus_term {
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real operator()(Real x) const {
    if (x < left) return exponential(x / 2);
    return square_root(log1p_exp(x));
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real slope(Real x) const {
    if (x < left) return exponential(x / 2) / 2;
    return sigmoid_term<Real>{}(x)*inverse_sqrt(log1p_exp(x)) / 2;
  }

 private:
  static constexpr Real left = -40;  // e^-40 is below the precision of both types
};

/// Every expert by itself, without an upper limit: Megatron.
struct sqrtsoftplus_score {
  static constexpr bool over_row = false;
  template <team Team, class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static sqrtsoftplus_term<Real> of_row(Team const&, index_t, Real const*) {
    return {};
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
