// SPDX-License-Identifier: Apache-2.0
// The biases of experts' matrices, added to the rows of each expert with or without routing weights, and their
// gradients. Rows lie in the order of experts, as counts say; rows beyond them belong to nobody and are not touched.
#pragma once

#include <heddle/kernel/column_sums.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// One bias an expert, [E, H].
template <class Element, class Memory = host_memory>
using expert_biases = view<Element, extents<experts, out_features>, Memory>;

/// The rows that one launch takes: enough to find their experts once for all, few enough that one expert with all rows
/// keeps every thread busy.
inline constexpr index_t row_block = 8;

/// How many such blocks `count` rows have.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t row_blocks(index_t count) {
  return (count + row_block - 1) / row_block;
}

/// visit(row, expert) for the rows of a block that have an expert. counts [E].
template <class Memory, class Visit>
HEDDLE_HOST_DEVICE void visit_rows(per_row<index_t const, Memory> counts, index_t block, Visit visit) {
  index_t expert = 0;
  index_t end = 0;  // of the rows of all experts before `expert`
  for (index_t row = block * row_block; row < (block + 1) * row_block; ++row) {
    while (expert < counts.count() && end + counts(expert) <= row) end += counts(expert++);
    if (expert == counts.count()) return;
    visit(row, expert);
  }
}

/// y[r] += bias[e], or weights[r] * bias[e] where there are weights, for every row r of expert e. counts [E], bias
/// [E, H], y [R, H], weights [R] or default. The weighted form is for rows that were scaled before the matrix, so that
/// the whole of w (W x + b) is what comes out. It is launched over `blocks()`.
template <real T, class Memory = host_memory, real Weight = float>
struct add_expert_bias {
  per_row<index_t const, Memory> counts;
  expert_biases<T const, Memory> bias;
  rows<T, Memory> y;
  per_row<Weight const, Memory> weights{};

  /// Blocks of rows.
  [[nodiscard]] constexpr index_t blocks() const { return row_blocks(y.template size<tokens>()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    visit_rows(counts, block, [&](index_t row, index_t expert) {
      T const* const addend = bias.row(expert);
      T* const out = y.row(row);
      if (weights.data() == nullptr) {
        fill_row(team, y.row_size(), out, [=](index_t i) { return widen(out[i]) + widen(addend[i]); });
      } else {
        auto const weight = static_cast<accumulator_t<T>>(weights(row));
        fill_row(team, y.row_size(), out, [=](index_t i) { return widen(out[i]) + weight * widen(addend[i]); });
      }
    });
  }
};

/// gradient[e] += sum over the rows r of expert e, ascending, of dy[r], or of weights[r] * dy[r] where there are
/// weights. counts [E], dy [R, H], gradient [E, H], weights [R] or default. It is launched over `blocks()`.
template <real T, class Memory = host_memory, real Weight = float>
struct expert_bias_grad {
  per_row<index_t const, Memory> counts;
  rows<T const, Memory> dy;
  expert_biases<accumulator_t<T>, Memory> gradient;
  per_row<Weight const, Memory> weights{};

  /// Blocks of columns, see column_sums.hpp: each walks through all experts, however rows are dealt to them.
  [[nodiscard]] constexpr index_t blocks() const { return column_blocks(gradient.row_size()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t first = 0;
    for (index_t expert = 0; expert < counts.count(); ++expert) {
      index_t const last = first + counts(expert);
      if (weights.data() == nullptr) {
        add_rows(team, block, gradient.row_size(), first, last, gradient.row(expert),
                 [given = dy](index_t row, index_t column) { return widen(given.row(row)[column]); });
      } else {
        add_rows(team, block, gradient.row_size(), first, last, gradient.row(expert),
                 [given = dy, factor = weights](index_t row, index_t column) {
                   return static_cast<accumulator_t<T>>(factor(row)) * widen(given.row(row)[column]);
                 });
      }
      first = last;
    }
  }
};

/// dweights[r] = sum over h of bias[e, h] dy[r, h] for every row r of expert e: what the weighted bias adds to the
/// gradient of a routing weight. counts [E], bias [E, H], dy [R, H], dweights [R]. It is launched over `blocks()`.
template <real T, class Memory = host_memory, real Weight = float>
struct expert_bias_weight_grad {
  per_row<index_t const, Memory> counts;
  expert_biases<T const, Memory> bias;
  rows<T const, Memory> dy;
  per_row<Weight, Memory> dweights;

  /// Blocks of rows.
  [[nodiscard]] constexpr index_t blocks() const { return row_blocks(dy.template size<tokens>()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    visit_rows(counts, block, [&](index_t row, index_t expert) {
      T const* const addend = bias.row(expert);
      T const* const given = dy.row(row);
      auto const product =
          sum_row<accumulator_t<T>>(team, dy.row_size(), [=](index_t i) { return widen(addend[i]) * widen(given[i]); });
      if (team.rank() == 0) dweights(row) = static_cast<Weight>(product);
    });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
