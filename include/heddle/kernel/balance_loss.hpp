// SPDX-License-Identifier: Apache-2.0
// The loss that asks a router to use its experts evenly, and its gradient. It is made of sums over the tokens of all
// ranks: a rank computes its own (`balance_scores`, `balance_sums`), the caller adds them up over the ranks, and every
// rank computes the same loss (`conclude_balance`) and the gradient of its tokens (`balance_grad`).
//
// Of n tokens that are no padding, E experts and k slots: loss = coeff E / (k n^2) sum_i c_i sum_t p_ti. p are the
// scores of a row over their sum + 1e-20 (a softmax: its probabilities), c_i counts the tokens with p_ti among the k
// largest of p_t: the choice without bias, groups or drops. Over sequences: the same for each, and the mean. Hugging
// Face's loss is k times as large. The gradient flows through p alone.
#pragma once

#include <heddle/kernel/weigh.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// p[t] = probabilities of token t, ids[t] = its k largest; of padding 0 and -1. logits and p [T, E], ids [T, k],
/// padding [T] or empty. `ids.row_size()` is k, within the limits of `check_top_k`.
template <class Score, class Real, class Memory = host_memory>
struct balance_scores {
  rows<Real const, Memory> logits;
  rows<Real, Memory> p;
  slot_view<std::int32_t, Memory> ids;
  per_row<bool const, Memory> padding{};

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const experts = logits.row_size();
    Real const* const x = logits.row(row);
    bool const absent = padding.data() != nullptr && padding(row);
    auto const score = Score::of_row(team, experts, x);
    Real total{1};
    if constexpr (!Score::over_row) {
      total = sum_row<Real>(team, experts, [x, score](index_t i) { return score(x[i]); }) + least_total<Real>;
    }
    auto const share = [=](index_t i) { return absent ? Real{} : score(x[i]) / total; };
    top_k_of(team, experts, share, ids.row_size(), [&](index_t slot, index_t expert) {
      if (team.rank() == 0) ids(row, slot) = absent ? -1 : static_cast<std::int32_t>(expert);
    });
    fill_row(team, experts, p.row(row), share);
  }
};

/// The columns of `sums`: c_i at i, the sum of p_i at E + i, the number of tokens at 2 E.
[[nodiscard]] constexpr index_t balance_columns(index_t experts) { return 2 * experts + 1; }

/// sums[b] = this rank's part of the sums of block b: `length` tokens in the order of all ranks, of which this rank has
/// T from number first_token on. One block of all tokens, or one a sequence. In f64, whatever the scores: a batch has
/// more tokens than f32 can add up. It is launched over `pieces()`: blocks times tiles of experts. p [T, E] and ids
/// [T, k] of `balance_scores`; sums [B, 2 E + 1], see `balance_columns`, all of it written.
template <class Real, class Memory = host_memory>
struct balance_sums {
  rows<Real const, Memory> p;
  slot_view<std::int32_t const, Memory> ids;
  per_row<bool const, Memory> padding{};
  index_t first_token = 0;
  index_t length = 0;
  rows<double, Memory> sums;

  /// Rows to launch over.
  [[nodiscard]] constexpr index_t pieces() const { return sums.shape()[0] * tiles(); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t piece) const {
    index_t const block = piece / tiles();
    index_t const first = piece % tiles() * tile_width;
    index_t const experts = p.row_size();
    index_t const width = experts - first < tile_width ? experts - first : tile_width;
    index_t const begin = clipped(block * length - first_token);
    index_t const end = clipped((block + 1) * length - first_token);
    double* const counts = sums.row(block) + first;
    double* const totals = counts + experts;
    for (index_t i = team.rank(); i < width; i += team.size()) counts[i] = totals[i] = 0;
    for (index_t t = begin; t < end; ++t) {
      Real const* const row = p.row(t) + first;
      for (index_t i = team.rank(); i < width; i += team.size()) totals[i] += static_cast<double>(row[i]);
      for (index_t slot = 0; slot < ids.row_size(); ++slot) {
        index_t const i = ids(t, slot) - first;
        if (i >= 0 && i < width && i % team.size() == team.rank()) counts[i] += 1;
      }
    }
    if (first == 0 && team.rank() == 0) {
      double present = 0;
      for (index_t t = begin; t < end; ++t) present += padding.data() != nullptr && padding(t) ? 0 : 1;
      sums(block, 2 * experts) = present;
    }
  }

 private:
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t tiles() const {
    return (p.row_size() + tile_width - 1) / tile_width;
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t clipped(index_t t) const {
    index_t const count = p.shape()[0];
    return t < 0 ? 0 : t > count ? count : t;
  }
};

/// How a balance loss is scaled.
enum class balance_scale { megatron, huggingface };

/// How many blocks of `length` tokens there are. Throws `argument` where they do not divide the `tokens` of all ranks.
[[nodiscard]] inline index_t sequence_blocks(index_t tokens, index_t length) {
  if (length < 1 || tokens % length != 0) {
    throw error(error_kind::argument,
                "sequence_length is " + std::to_string(length) + " for " + std::to_string(tokens) + " tokens",
                "use a length that divides the number of tokens");
  }
  return tokens / length;
}

/// Megatron's global loss looks at the choices of a whole batch, which comes in several steps: history [E] = before [E]
/// + this step's counts in `sums` [1, 2 E + 1], which their mean over `steps`, this one included, replaces.
template <team Team, class Memory>
HEDDLE_HOST_DEVICE void average_counts(Team const& team, rows<double, Memory> sums,
                                       std::type_identity_t<per_row<double const, Memory>> before,
                                       per_row<double, Memory> history, index_t steps) {
  for (index_t i = team.rank(); i < history.count(); i += team.size()) {
    history(i) = before(i) + sums(0, i);
    sums(0, i) = history(i) / static_cast<double>(steps);
  }
  team.sync();
}

/// The loss from the sums over all ranks [B, 2 E + 1], and its slope on every p_i in slopes [B, E]. A block without
/// tokens counts as 0; no block at all is a loss of 0. Every lane gets the loss.
template <team Team, class Memory>
HEDDLE_HOST_DEVICE double balance_loss(Team const& team, rows<double, Memory> sums, index_t k, double coeff,
                                       balance_scale scale, rows<double, Memory> slopes) {
  index_t const blocks = sums.shape()[0];
  index_t const experts = slopes.row_size();
  double loss = 0;
  for (index_t b = 0; b < blocks; ++b) {
    double const tokens = sums(b, 2 * experts);
    double const each = static_cast<double>(experts) / (tokens * tokens * static_cast<double>(blocks));
    double const factor =
        tokens == 0 ? 0 : coeff * each / (scale == balance_scale::megatron ? static_cast<double>(k) : 1);
    double pairs = 0;  // in one order, whatever the team
    for (index_t i = 0; i < experts; ++i) pairs += sums(b, i) * sums(b, experts + i);
    for (index_t i = team.rank(); i < experts; i += team.size()) slopes(b, i) = factor * sums(b, i);
    loss += factor * pairs;
  }
  return loss;
}

/// loss [1] = `balance_loss`, slopes [B, E] its slopes times `loss_scale`. Where there is a
/// history [E], it takes the counts of the steps before in, see `average_counts`. It is launched over one row.
template <class Memory = host_memory>
struct conclude_balance {
  rows<double, Memory> sums;
  index_t k = 0;
  double coeff = 0;
  balance_scale scale = balance_scale::megatron;
  double loss_scale = 1;
  per_row<double const, Memory> before{};
  index_t steps = 1;
  per_row<double, Memory> history{};
  rows<double, Memory> slopes;
  per_row<double, Memory> loss;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    average_counts(team, sums, before, history, steps);
    double const found = balance_loss(team, sums, k, coeff, scale, slopes);
    for (index_t b = 0; b < slopes.shape()[0]; ++b)
      for (index_t i = team.rank(); i < slopes.row_size(); i += team.size()) slopes(b, i) *= loss_scale;
    if (team.rank() == 0) loss(0) = found;
  }
};

/// Adds the gradient of `balance_loss` to dlogits [T, E]: p_i (d_i - sum_j d_j p_j) for a softmax, with d the slopes
/// [B, E] of the token's block; for other scores s with the sum S: s'_i (d_i - sum_j d_j s_j / S) / S. `length` and
/// first_token as in `balance_sums`.
template <class Score, class Real, class Memory = host_memory>
struct balance_grad {
  rows<Real const, Memory> logits;
  per_row<bool const, Memory> padding{};
  index_t first_token = 0;
  index_t length = 0;
  rows<double const, Memory> slopes;
  rows<Real, Memory> dlogits;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (padding.data() != nullptr && padding(row)) return;
    index_t const experts = logits.row_size();
    Real const* const x = logits.row(row);
    Real* const dx = dlogits.row(row);
    double const* const slope = slopes.row((first_token + row) / length);
    auto const score = Score::of_row(team, experts, x);
    auto const d = [slope](index_t i) { return static_cast<Real>(slope[i]); };
    Real const pull = sum_row<Real>(team, experts, [=](index_t i) { return d(i) * score(x[i]); });
    if constexpr (Score::over_row) {
      fill_row(team, experts, dx, [=](index_t i) { return dx[i] + score(x[i]) * (d(i) - pull); });
    } else {
      Real const total = sum_row<Real>(team, experts, [=](index_t i) { return score(x[i]); }) + least_total<Real>;
      fill_row(team, experts, dx, [=](index_t i) { return dx[i] + score.slope(x[i]) * (d(i) - pull / total) / total; });
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
