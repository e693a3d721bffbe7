// SPDX-License-Identifier: Apache-2.0
#include "router_parts.hpp"
#include <heddle/router/losses.hpp>

namespace probe {

namespace {

using heddle::balance_over;
using heddle::balance_scale;

/// Both losses; one without a coefficient is nothing.
template <class T, class Score, balance_scale Scale, balance_over Over>
std::unique_ptr<loss_part<T>> losses_of() {
  using operation =
      heddle::losses<heddle::dealt_over<etp, ep, edp>, heddle::aux_loss<Score, Scale, Over>, heddle::z_loss>;
  return std::make_unique<part_of<T, sequence_style<operation>, rows_of<T>, rows_of<T>>>();
}
template <class T, class Score>
std::unique_ptr<loss_part<T>> losses_by(loss_kind kind) {
  switch (kind) {
    case loss_kind::megatron: break;
    case loss_kind::sequence: return losses_of<T, Score, balance_scale::megatron, balance_over::sequences>();
    case loss_kind::huggingface: return losses_of<T, Score, balance_scale::huggingface, balance_over::tokens>();
  }
  return losses_of<T, Score, balance_scale::megatron, balance_over::tokens>();
}

}  // namespace

template <class T>
std::unique_ptr<loss_part<T>> make_losses(config const& is) {
  if (!is.aux_loss_coeff && !is.z_loss_coeff) return nullptr;
  switch (is.score) {
    case score_kind::softmax: break;
    case score_kind::sigmoid: return losses_by<T, heddle::kernel::sigmoid_score>(is.aux_loss);
    case score_kind::sqrtsoftplus: return losses_by<T, heddle::kernel::sqrtsoftplus_score>(is.aux_loss);
  }
  return losses_by<T, heddle::kernel::softmax_score>(is.aux_loss);
}

template std::unique_ptr<loss_part<float>> make_losses<float>(config const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<loss_part<double>> make_losses<double>(config const&);
#endif

}  // namespace probe
