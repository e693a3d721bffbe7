// SPDX-License-Identifier: Apache-2.0
// One rank's part of a model: its shards, its memory, and a forward pass. Compiled once a dtype.
#pragma once

#include "choice.hpp"
#include "execution.hpp"
#include "model.hpp"
#include "shards.hpp"

namespace hf {

template <heddle::real T>
class rank_model {
 public:
  /// Loads what `rank` owns. Nothing is sent.
  rank_model(model const& whole, choice const& chosen, grid_type const& grid, int rank,
             heddle::checkpoint::shard_store& store, progress& done);

  /// The logits [tokens, vocab] of whole sequences of `length` tokens, valid until the next call. All ranks call it,
  /// also those without tokens.
  [[nodiscard]] std::span<float const> forward(groups_type& groups, std::span<std::int64_t const> ids, index_t length);

 private:
  model const& whole_;
  choice const& chosen_;
  shards<T> weights_;
  gemm gemm_;
  heddle::host::workspace scratch_;
};

}  // namespace hf
