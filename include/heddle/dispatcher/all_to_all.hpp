// SPDX-License-Identifier: Apache-2.0
// Each token copy travels to the rank of its expert and comes back: permute by global expert, all_to_all over ep,
// all_gather over etp, chunks into local-expert order (Megatron's all-to-all dispatcher).
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/all_to_all.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Every token copy goes to the one rank that has its expert, and its result comes back to the token's rank. `order` is
/// the sort into expert order, `move` the transport; combine is their conjugate.
template <class ExpertParallel = ep, class ExpertTensor = etp>
struct all_to_all_dispatcher {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  /// Every copy returns to its origin, so the sum over copies is taken there, in slot order.
  static constexpr bool returns_copies = true;
  using copies_home = placement<on<ExpertParallel, bucketed>>;
  using weights_home = placement<on<ExpertParallel, sharded<tokens, as_given>>>;
  using bring = sequence<>;
  using order = sequence<permute<ExpertParallel>>;
  using move =
      sequence<all_to_all<ExpertParallel>, all_gather<ExpertTensor, tokens, as_given>, sort_chunks<ExpertParallel>>;
};

}  // namespace heddle::inline HEDDLE_ABI
