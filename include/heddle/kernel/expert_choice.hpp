// SPDX-License-Identifier: Apache-2.0
// The other way round: every expert chooses its tokens, so that all experts are equally busy (Zhou et al., "Mixture-of-
// experts with expert choice routing", NeurIPS 2022).
#pragma once

#include <heddle/kernel/best.hpp>
#include <heddle/kernel/score.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// ids[t, e] = e where token t is among the `capacity` tokens with the largest scores[t, e], ties by token, and -1
/// elsewhere: a token may be nobody's, or everybody's. It is launched over experts. scores [T, E], see
/// `scores_of_rows`; padding [T] or empty: padding tokens are not chosen. The ids have a slot for each expert; `weigh`
/// and `weigh_grad` take them as they are.
template <class Real, class Memory = host_memory>
struct choose_tokens {
  rows<Real const, Memory> scores;
  slot_view<std::int32_t, Memory> ids;
  index_t capacity = 0;
  per_row<bool const, Memory> padding{};

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t expert) const {
    index_t const count = ids.shape()[0];
    auto const absent = [this](index_t t) { return padding.data() != nullptr && padding(t); };
    auto const key = [&](index_t t) {
      constexpr auto nobody = least_key<Real>;
      auto const number = sort_key(scores(t, expert));
      return absent(t) ? nobody : number > nobody ? number : static_cast<sort_key_t<Real>>(nobody + 1);  // a NaN
    };
    auto const best = find_best(team, count, key, capacity);
    for (index_t t = team.rank(); t < count; t += team.size()) {
      ids(t, expert) = best.holds(key(t), t) && !absent(t) ? static_cast<std::int32_t>(expert) : -1;
    }
  }
};

/// scores[t, e] of every expert by `Score`; logits and scores [T, E].
template <class Score, class Real, class Memory = host_memory>
struct scores_of_rows {
  rows<Real const, Memory> logits;
  rows<Real, Memory> scores;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    Real const* const x = logits.row(row);
    auto const score = Score::of_row(team, logits.row_size(), x);
    fill_row(team, logits.row_size(), scores.row(row), [x, score](index_t i) { return score(x[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
