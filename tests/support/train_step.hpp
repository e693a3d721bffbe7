// SPDX-License-Identifier: Apache-2.0
// One training step of a mixture of experts: which policies on which ranks with which numbers, what it gave, and what
// the oracle says.
#pragma once

#include "oracle_draw.hpp"
#include "train_experts.hpp"

namespace train {

inline constexpr char const* dispatcher_names[] = {
    "masked", "all_gather",     "all_to_all",          "aligned_rows",      "deduplicated",       "flex",
    "direct", "flex by direct", "direct deduplicated", "masked everywhere", "direct aligned_rows"};
inline constexpr int dispatchers = 11;

/// A mistake in the way back, to see it found.
enum class fault {
  none,
  gate_not_reduced,
  experts_not_reduced,
  experts_ep_times_too_large,
  weights_accumulated_twice,
  slot_order_broken,
  gradient_of_weights_lost,
  gradient_of_shared_lost
};
inline constexpr int faults = 7;

/// Everything about a step. `cuts` are the first tokens of the chunks that tokens are dealt in, and their end: a chunk
/// for each rank or, on a `dense` grid, for each rank of dp; for each rank of edp where they are `everywhere` else.
struct member {
  std::uint64_t seed = 0;
  oracle::layer layer{};
  int ranks = 1, tp = 1, ep = 1, etp = 1;
  int dispatcher = 2, expert = 0;
  bool wide = true;      ///< f64, else f32
  bool dense = false;    ///< tokens come from tp x dp and go back there
  bool delayed = false;  ///< weight gradients after all others
  bool ties = false;     ///< gaps of nothing are meant
  bool tiles = false;    ///< products in tiles, by oneDNN where there is any
  fault mistake = fault::none;
  int threads = 1;  ///< of a rank
  std::vector<index_t> cuts{};

  [[nodiscard]] expert_member is() const { return expert_number(expert); }
  [[nodiscard]] activation_of activation() const { return activations[is().family]; }
  [[nodiscard]] bool everywhere() const { return dispatcher == 9; }
  /// In memory whose size is known before the counts are, each copy of a token in a row of its own.
  [[nodiscard]] bool stores_rows() const { return dispatcher == 6 || dispatcher == 7 || dispatcher == 10; }
  [[nodiscard]] int chunks() const { return static_cast<int>(cuts.size()) - 1; }
  [[nodiscard]] std::string text() const;
};

/// Whole tensors by the oracle's names, gradients with `grad.` before them, and numbers that are exact.
struct outcome {
  std::map<std::string, std::vector<double>> reals{};
  std::map<std::string, oracle::indices_t> counts{};
  std::map<std::string, double> sizes{};  ///< of the reals, as the oracle measures them; what ranks have has none
  std::string problem{};                  ///< what no rank should have said, and ranks that disagree
};

/// The step on threads.
[[nodiscard]] outcome run(member const& of);
/// The same by the oracle.
[[nodiscard]] outcome expected(member const& of);
/// Empty, or the first thing that differs: a count at all, a number by more than `tolerance` of what relative.hpp
/// measures by.
[[nodiscard]] std::string difference(outcome const& got, outcome const& wanted, double tolerance);
/// Empty, or the first of `names` that has other bits; all of them where there are none.
[[nodiscard]] std::string other_bits(outcome const& got, outcome const& wanted,
                                     std::vector<std::string> const& names = {});

}  // namespace train
