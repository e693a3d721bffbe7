// SPDX-License-Identifier: Apache-2.0
// Experts that return their input: what they give is a multiple of the token, on the token's own rank.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Whether a token has chosen an expert from `first` on: what stands in the row of one that has not is nobody's.
template <class Memory>
[[nodiscard]] HEDDLE_HOST_DEVICE bool chose_identity(slot_view<std::int32_t const, Memory> ids, std::int32_t first,
                                                     index_t token) {
  bool found = false;
  for (index_t slot = 0; slot < ids.row_size(); ++slot) found = found || ids(token, slot) >= first;
  return found;
}

/// The sum of a token's weights for experts from `first` on.
template <class Sum, class Memory, real Weight>
[[nodiscard]] HEDDLE_HOST_DEVICE Sum identity_weight(slot_view<std::int32_t const, Memory> ids,
                                                     slot_view<Weight const, Memory> weights, std::int32_t first,
                                                     index_t token) {
  Sum sum{};
  for (index_t slot = 0; slot < ids.row_size(); ++slot) {
    if (ids(token, slot) >= first) sum += static_cast<Sum>(weights(token, slot));
  }
  return sum;
}

/// y[t] = x[t] times the sum of its weights for experts from `first` on; those choices are -1 in `others`, where the
/// rest stays. x and y [T, H]; ids, weights, others [T, K].
template <real T, class Memory = host_memory, real Weight = float>
struct identity_experts {
  rows<T const, Memory> x;
  slot_view<std::int32_t const, Memory> ids;
  slot_view<Weight const, Memory> weights;
  std::int32_t first = 0;
  rows<T, Memory> y;
  slot_view<std::int32_t, Memory> others;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    auto const factor = identity_weight<accumulator_t<T>>(ids, weights, first, token);
    T const* const in = x.row(token);
    bool const chosen = chose_identity(ids, first, token);
    using sum_type = accumulator_t<T>;
    fill_row(team, y.row_size(), y.row(token), [=](index_t i) { return chosen ? factor * widen(in[i]) : sum_type{}; });
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      std::int32_t const id = ids(token, slot);
      others(token, slot) = id >= first ? -1 : id;
    }
  }
};

/// The gradients of tokens and weights: dx[t] = dx_others[t] + dy[t] times the same sum, and dweights[t, k] = <x[t],
/// dy[t]> for a choice from `first` on, else what is in dweights_others. dx may be dx_others.
template <real T, class Memory = host_memory, real Weight = float>
struct identity_experts_grad {
  rows<T const, Memory> x;
  slot_view<std::int32_t const, Memory> ids;
  slot_view<Weight const, Memory> weights;
  std::int32_t first = 0;
  rows<T const, Memory> dy;
  rows<T const, Memory> dx_others;
  slot_view<Weight const, Memory> dweights_others;
  rows<T, Memory> dx;
  slot_view<Weight, Memory> dweights;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    using sum_type = accumulator_t<T>;
    auto const factor = identity_weight<sum_type>(ids, weights, first, token);
    T const* const in = x.row(token);
    T const* const given = dy.row(token);
    T const* const before = dx_others.row(token);
    auto const product =
        sum_row<sum_type>(team, x.row_size(), [=](index_t i) { return widen(in[i]) * widen(given[i]); });
    bool const chosen = chose_identity(ids, first, token);
    fill_row(team, dx.row_size(), dx.row(token),
             [=](index_t i) { return chosen ? widen(before[i]) + factor * widen(given[i]) : widen(before[i]); });
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      dweights(token, slot) = ids(token, slot) >= first ? static_cast<Weight>(product) : dweights_others(token, slot);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
