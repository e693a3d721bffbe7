// SPDX-License-Identifier: Apache-2.0
// Each token copy is stored into the memory of its expert's ranks, at the place where the expert reads it (torchtitan's
// minimal asynchronous expert parallelism).
#pragma once

#include <heddle/collective/direct.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Rows go where all_to_all_dispatcher brings them, in the same order, hence to the same bits: no counts on the host,
/// no sort on arrival. Needs a `symmetric_communicator` of `joint<ExpertTensor, ExpertParallel>`. Its memory holds EP
/// ETP T min(K, experts a rank) rows, which never overflows, T being the most tokens of a rank; a smaller `inputs.room`
/// is the caller's, and `Overflow` says what then happens to rows beyond it.
template <class ExpertParallel = ep, class ExpertTensor = etp, on_overflow Overflow = on_overflow::error>
struct direct_dispatcher {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  static constexpr bool returns_copies = true;
  using copies_home = placement<on<ExpertParallel, bucketed>>;
  using weights_home = placement<on<ExpertParallel, sharded<tokens, as_given>>>;
  using bring = sequence<>;
  using order = sequence<permute<ExpertParallel>>;
  using move = sequence<direct_send<ExpertParallel, ExpertTensor, Overflow>>;
};

}  // namespace heddle::inline HEDDLE_ABI
