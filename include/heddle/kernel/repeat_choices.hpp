// SPDX-License-Identifier: Apache-2.0
// Every choice of an expert as one of each rank of its tensor group, and the sum of what comes back.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Slot k becomes slots k parts .. k parts + parts - 1 with the same weight. Experts [0, experts) lie in chunks of
/// `each`, one an outer rank, the last ones shorter; a chunk of n experts becomes `parts` neighbouring chunks of n. -1
/// stays -1. ids [T, K] or default (then there are none), weights [T, K], the wide ones [T, K parts].
template <class Memory = host_memory, real Weight = float>
struct repeat_choices {
  slot_view<std::int32_t const, Memory> ids;
  slot_view<Weight const, Memory> weights;
  index_t experts = 0, each = 0;
  index_t parts = 1;
  slot_view<std::int32_t, Memory> wide_ids;
  slot_view<Weight, Memory> wide_weights;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t wide = team.rank(); wide < wide_weights.row_size(); wide += team.size()) {
      wide_weights(token, wide) = weights(token, wide / parts);
      if (ids.data() != nullptr) wide_ids(token, wide) = of_part(ids(token, wide / parts), wide % parts);
    }
  }

 private:
  HEDDLE_HOST_DEVICE std::int32_t of_part(std::int32_t id, index_t part) const {
    if (id < 0) return -1;
    index_t const first = id / each * each;
    index_t const size = experts - first < each ? experts - first : each;
    return static_cast<std::int32_t>(first * parts + part * size + (id - first));
  }
};

/// y[t, k] = sum over parts, ascending, of x[t, k parts + part], rounded once; x [T, K parts], y [T, K]. Its conjugate.
template <class Memory = host_memory, real Weight = float>
struct sum_choices {
  slot_view<Weight const, Memory> x;
  index_t parts = 1;
  slot_view<Weight, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t slot = team.rank(); slot < y.row_size(); slot += team.size()) {
      auto sum = widen(x(token, slot * parts));
      for (index_t part = 1; part < parts; ++part) sum += widen(x(token, slot * parts + part));
      y(token, slot) = static_cast<Weight>(sum);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
