// SPDX-License-Identifier: Apache-2.0
// Tokens, ids and weights are gathered over the expert group; each rank takes the copies for its experts; the sums go
// home in a reduce_scatter that finishes the sum over experts and over etp at once (Megatron's all-gather dispatcher).
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Tokens of all ranks meet on every rank, which runs its own experts on the copies that chose them. Few messages, and
/// traffic that does not depend on the routing: for small groups, or a top-k near the number of ranks.
template <class ExpertParallel = ep, class ExpertTensor = etp>
struct all_gather_dispatcher {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  /// Copies are summed where their experts are; what goes home is already a partial sum of each token.
  static constexpr bool returns_copies = false;
  using copies_home = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
  using weights_home = placement<on<ExpertParallel, varying>, on<ExpertTensor, varying>>;
  using bring = sequence<all_gather<ExpertTensor, tokens, as_given>, all_gather<ExpertParallel, tokens, as_given>>;
  using order = sequence<select_local<ExpertParallel>>;
  using move = sequence<>;
};

}  // namespace heddle::inline HEDDLE_ABI
