// SPDX-License-Identifier: Apache-2.0
// Experts that tokens do not choose: dealt out evenly or at random, to measure a system under a known load, or taken
// from a recording. `weigh` gives them the weights of the live logits.
#pragma once

#include <heddle/core/philox.hpp>
#include <heddle/kernel/select.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// ids[t, k] = (n K + k) mod E, where n = first_token + t numbers the token among those of all ranks: torchtitan's
/// round robin. ids [T, K], K <= E; padding [T] or empty: a padding token has ids -1.
template <class Memory = host_memory>
struct deal_round_robin {
  slot_view<std::int32_t, Memory> ids;
  index_t experts = 0;
  index_t first_token = 0;
  per_row<bool const, Memory> padding{};

  /// See `check_top_k`.
  void check() const { check_top_k(ids.row_size(), experts); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    bool const absent = padding.data() != nullptr && padding(row);
    index_t const first = (first_token + row) % experts * ids.row_size();
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      ids(row, slot) = absent ? -1 : static_cast<std::int32_t>((first + slot) % experts);
    }
  }
};

/// ids[t] = K distinct experts at random, every set of K as likely as another: those with the largest of E numbers that
/// Philox draws for (seed, first_token + t, expert). So they depend on the token and not on who holds it. Shapes as in
/// `deal_round_robin`.
template <class Memory = host_memory>
struct deal_randomly {
  slot_view<std::int32_t, Memory> ids;
  index_t experts = 0;
  index_t first_token = 0;
  std::uint64_t seed = 0;
  per_row<bool const, Memory> padding{};

  /// Of `seed`, used up.
  static constexpr std::uint64_t stream = 0x64656c74;

  /// See `check_top_k`.
  void check() const { check_top_k(ids.row_size(), experts); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    bool const absent = padding.data() != nullptr && padding(row);
    auto const first = static_cast<std::uint64_t>((first_token + row) * experts);
    auto const number = [draw = philox{seed, stream}, first](index_t expert) {
      return draw.uniform(first + static_cast<std::uint64_t>(expert));
    };
    top_k_of(team, experts, number, ids.row_size(), [&](index_t slot, index_t expert) {
      if (team.rank() == 0) ids(row, slot) = absent ? -1 : static_cast<std::int32_t>(expert);
    });
  }
};

/// Whether a token's choice in `slot` is no expert of `experts`, or none (-1), or one that an earlier slot has.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr bool is_bad_choice(std::int32_t const* of_token, index_t slot,
                                                              index_t experts) {
  index_t const id = of_token[slot];
  bool bad = id < -1 || id >= experts;
  for (index_t before = 0; before < slot; ++before) bad = bad || (id >= 0 && of_token[before] == id);
  return bad;
}

/// ids[t] = recorded[t], or -1 throughout for a padding token. Record what was chosen, before any drop: a choice of -1
/// has no part in the totals that normalise the weights of its token. Shapes as in `deal_round_robin`. Where only a
/// kernel can look at the recording, a bad choice among `experts` becomes -1, and `bad` [1], zeroed before, is set to
/// one more than the number of such a pair.
template <class Memory = host_memory>
struct deal_recorded {
  slot_view<std::int32_t, Memory> ids;
  slot_view<std::int32_t const, Memory> recorded;
  per_row<bool const, Memory> padding{};
  per_row<index_t, Memory> bad{};
  index_t experts = 0;

  /// Throws `shape` where the recording is of another shape; `argument` for an expert outside [-1, experts) and for one
  /// that a token chose twice, where the host can read the recording.
  void check([[maybe_unused]] index_t all) const {
    if (recorded.shape() != ids.shape()) {
      throw error(error_kind::shape,
                  "recorded choices are [" + std::to_string(recorded.shape()[0]) + ", " +
                      std::to_string(recorded.row_size()) + "] for routing [" + std::to_string(ids.shape()[0]) + ", " +
                      std::to_string(ids.row_size()) + "]",
                  "replay the tokens and the k of the recording");
    }
    if constexpr (std::is_same_v<Memory, host_memory>) check_choices(all);
  }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    bool const absent = padding.data() != nullptr && padding(row);
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      bool const wrong = bad.data() != nullptr && is_bad_choice(recorded.row(row), slot, experts);
      ids(row, slot) = absent || wrong ? -1 : recorded(row, slot);
      if (wrong) bad(0) = row * recorded.row_size() + slot + 1;  // whichever lane is the last
    }
  }

 private:
  void check_choices(index_t all) const {
    index_t const k = ids.row_size();
    for (index_t pair = 0; pair < recorded.count(); ++pair) {
      index_t const id = recorded.data()[pair];
      if (!is_bad_choice(recorded.row(pair / k), pair % k, all)) continue;
      bool const twice = id >= 0 && id < all;
      throw error(error_kind::argument,
                  "recorded choice " + std::to_string(pair % k) + " of token " + std::to_string(pair / k) +
                      " is expert " + std::to_string(id) + (twice ? " again" : " of " + std::to_string(all)),
                  "record distinct experts from 0 to the number of experts less one, -1 for none");
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
