// SPDX-License-Identifier: Apache-2.0
// A whole run: ranks start, load, step forward together, and rank 0 has the logits and the figures.
#pragma once

#include "choice.hpp"
#include "model.hpp"
#include <array>
#include <heddle/checkpoint/store.hpp>

namespace hf {

inline constexpr std::array<char const*, 5> group_names{"tp", "dp", "etp", "ep", "edp"};

/// What one rank sent to others in the forward pass, group by group, in bytes.
using bytes_by_group = std::array<index_t, group_names.size()>;

/// What rank 0 knows at the end.
struct outcome {
  std::vector<float> logits;         ///< [sequences, length, vocab]
  std::vector<bytes_by_group> sent;  ///< of every rank
  double seconds = 0;                ///< of the forward pass
  double load_seconds = 0;
  index_t shard_bytes = 0;  ///< weights held, by all processes of the job
  index_t peak_bytes = 0;   ///< resident, of all processes of the job
};

/// The part of a run that one rank does; collective over `world`. `store` is this process's. With `show_progress` a
/// line on stderr tells how far loading is. The outcome is complete on rank 0.
[[nodiscard]] outcome run_rank(communicator& world, model const& whole, choice const& chosen, grid_type const& grid,
                               batch const& tokens, heddle::checkpoint::shard_store& store, bool show_progress);

}  // namespace hf
