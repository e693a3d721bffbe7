// SPDX-License-Identifier: Apache-2.0
// Balance by matrix scaling: every row and every column of e^logits is scaled until tokens and experts have equal
// shares, and tokens choose by the result. Megatron's `sinkhorn`; its weights are those of the live logits (`weigh` by
// sigmoid for k = 1, else by softmax), and no gradient flows through the choice.
#pragma once

#include <heddle/kernel/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What keeps the scaling of an empty row or column finite.
inline constexpr double sinkhorn_epsilon = 1e-8;

/// column_scale[i] = 1: what the scaling begins with. Launched over the experts.
template <class Real, class Memory = host_memory>
struct sinkhorn_begin {
  per_row<Real, Memory> column_scale;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t expert) const {
    if (team.rank() == 0) column_scale(expert) = 1;
  }
};

/// row_scale[t] = 1 / (tokens (sum_i e^z_ti column_scale[i] + 1e-8)), 0 for padding. logits [T, E], which an
/// exponential must not overflow; column_scale [E], row_scale [T]; `tokens` points to how many of all ranks are no
/// padding. Where `ended` points to another number than 0, nothing is done, as in the two kernels behind it.
template <class Real, class Memory = host_memory>
struct sinkhorn_rows {
  rows<Real const, Memory> logits;
  per_row<bool const, Memory> padding{};
  per_row<Real const, Memory> column_scale;
  double const* tokens = nullptr;
  per_row<Real, Memory> row_scale;
  index_t const* ended = nullptr;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (ended != nullptr && *ended != 0) return;
    Real const* const x = logits.row(row);
    Real const share =
        sum_row<Real>(team, logits.row_size(), [this, x](index_t i) { return exponential(x[i]) * column_scale(i); });
    bool const absent = padding.data() != nullptr && padding(row);
    if (team.rank() != 0) return;
    row_scale(row) = absent ? Real{} : 1 / (static_cast<Real>(*tokens) * (share + static_cast<Real>(sinkhorn_epsilon)));
  }
};

/// sums[i] = sum over this rank's tokens of e^z_ti row_scale[t], tokens ascending, in f64. It is launched over
/// `tiles()` tiles of experts. sums [E].
template <class Real, class Memory = host_memory>
struct sinkhorn_columns {
  rows<Real const, Memory> logits;
  per_row<Real const, Memory> row_scale;
  per_row<double, Memory> sums;
  index_t const* ended = nullptr;

  /// Rows to launch over.
  [[nodiscard]] constexpr index_t tiles() const { return (sums.count() + tile_width - 1) / tile_width; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t tile) const {
    if (ended != nullptr && *ended != 0) return;
    index_t const first = tile * tile_width;
    index_t const width = sums.count() - first < tile_width ? sums.count() - first : tile_width;
    for (index_t i = team.rank(); i < width; i += team.size()) sums(first + i) = 0;
    for (index_t t = 0; t < row_scale.count(); ++t) {
      if (row_scale(t) == 0) continue;  // padding, even of NaN
      Real const* const x = logits.row(t) + first;
      for (index_t i = team.rank(); i < width; i += team.size()) {
        sums(first + i) += static_cast<double>(exponential(x[i]) * row_scale(t));
      }
    }
  }
};

/// column_scale[i] = 1 / (E (sums[i] + 1e-8)), with sums [E] those of all ranks. Where this changes the scales by no
/// more than `tolerance` in the mean, `ended` gets the number of the round. It is launched over one row.
template <class Real, class Memory = host_memory>
struct sinkhorn_scale {
  per_row<double const, Memory> sums;
  per_row<Real, Memory> column_scale;
  double tolerance = 0;
  index_t round = 1;
  index_t* ended = nullptr;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    if (*ended != 0) return;
    index_t const experts = sums.count();
    double change = 0;  // in one order, whatever the team
    for (index_t i = 0; i < experts; ++i) {
      Real const step = scale(i) - column_scale(i);
      change += static_cast<double>(step < 0 ? -step : step);
    }
    team.sync();  // all have read the scales, and `ended`
    for (index_t i = team.rank(); i < experts; i += team.size()) column_scale(i) = scale(i);
    if (team.rank() == 0 && !(change / static_cast<double>(experts) > tolerance)) *ended = round;
  }

 private:
  [[nodiscard]] HEDDLE_HOST_DEVICE Real scale(index_t i) const {
    return static_cast<Real>(1 / (static_cast<double>(sums.count()) * (sums(i) + sinkhorn_epsilon)));
  }
};

/// ids[t] = the k experts with the largest e^z_ti column_scale[i] row_scale[t]; -1 for padding.
template <class Real, class Memory = host_memory>
struct sinkhorn_choose {
  rows<Real const, Memory> logits;
  per_row<bool const, Memory> padding{};
  per_row<Real const, Memory> column_scale;
  per_row<Real const, Memory> row_scale;
  slot_view<std::int32_t, Memory> ids;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    Real const* const x = logits.row(row);
    bool const absent = padding.data() != nullptr && padding(row);
    auto const share = [=, this](index_t i) { return column_scale(i) * exponential(x[i]) * row_scale(row); };
    top_k_of(team, logits.row_size(), share, ids.row_size(), [&](index_t slot, index_t expert) {
      if (team.rank() == 0) ids(row, slot) = absent ? -1 : static_cast<std::int32_t>(expert);
    });
  }
};

/// When the scaling ends: once the column scales change by no more than `tolerance` in the mean, or after `most`
/// rounds.
struct sinkhorn_limits {
  double tolerance = 1e-4;
  int most = 1000;
};

/// Finds the scales. `launch(kernel, rows)` runs a kernel; `reduce(sums)` adds sums [E] over the ranks that share the
/// tokens, so that the result is the same however they are dealt; `is_over(round)` says whether `ended`, which is 0
/// before the first round, is known to be another number: rounds behind the end do nothing, so it may say no. Views and
/// pointers as in the kernels; column_scale, row_scale, sums and ended are written.
template <class Launch, class Reduce, class IsOver, class Real, class Memory>
void find_scales(Launch launch, Reduce reduce, IsOver is_over, rows<Real const, Memory> logits,
                 per_row<bool const, Memory> padding, double const* tokens, per_row<Real, Memory> column_scale,
                 per_row<Real, Memory> row_scale, per_row<double, Memory> sums, index_t* ended,
                 sinkhorn_limits limits = {}) {
  launch(sinkhorn_begin<Real, Memory>{column_scale}, column_scale.count());
  for (int round = 1;; ++round) {
    launch(sinkhorn_rows<Real, Memory>{logits, padding, column_scale, tokens, row_scale, ended}, row_scale.count());
    sinkhorn_columns<Real, Memory> const columns{logits, row_scale, sums, ended};
    launch(columns, columns.tiles());
    reduce(sums);
    launch(sinkhorn_scale<Real, Memory>{sums, column_scale, limits.tolerance, round, ended}, 1);
    if (is_over(round) || round >= limits.most) return;
  }
}

/// The same where the host sees each round end. Returns the number of rounds.
template <class Launch, class Reduce, class Real>
int sinkhorn(Launch launch, Reduce reduce, rows<Real const> logits, per_row<bool const> padding, double tokens,
             per_row<Real> column_scale, per_row<Real> row_scale, per_row<double> sums, sinkhorn_limits limits = {}) {
  index_t ended = 0;
  find_scales(
      launch, reduce, [&](int) { return ended != 0; }, logits, padding, &tokens, column_scale, row_scale, sums, &ended,
      limits);
  return ended != 0 ? static_cast<int>(ended) : limits.most;
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
