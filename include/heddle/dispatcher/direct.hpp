// SPDX-License-Identifier: Apache-2.0
// Each token copy is stored into the memory of its expert's ranks, at the place where the expert reads it (torchtitan's
// minimal asynchronous expert parallelism).
#pragma once

#include <heddle/collective/direct.hpp>
#include <heddle/dispatcher/all_to_all.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Policy` is `compact`, `aligned_rows<Rows>` or `deduplicated`.
template <class ExpertParallel = ep, class ExpertTensor = etp, on_overflow Overflow = on_overflow::error,
          class Policy = compact>
struct direct_dispatcher;

/// Rows go where all_to_all_dispatcher brings them, in the same order, hence to the same bits: no counts on the host,
/// no sort on arrival. Needs a `symmetric_communicator` of `joint<ExpertTensor, ExpertParallel>`. Its memory holds EP
/// ETP T min(K, experts a rank) rows, T being the most tokens of a rank, and room for the capacity of every expert
/// where rows are padded to it: that never overflows. A smaller `inputs.room` is the caller's, and `Overflow` says what
/// then happens to rows beyond it.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
struct direct_dispatcher<ExpertParallel, ExpertTensor, Overflow, compact> {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  static constexpr bool returns_copies = true;
  using copies_home = placement<on<ExpertParallel, bucketed>>;
  using weights_home = placement<on<ExpertParallel, sharded<tokens, as_given>>>;
  using bring = sequence<>;
  using order = sequence<permute<ExpertParallel>>;
  using move = sequence<direct_send<ExpertParallel, ExpertTensor, Overflow>>;
};

/// The same with zeros behind the rows of each expert, as in all_to_all_dispatcher<..., aligned_rows<Rows>> and to the
/// same bits. The zeros take room: at most Rows - 1 for each of a rank's experts; of an `inputs.room` that is no
/// multiple of `Rows` the rest is not used.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, int Rows>
struct direct_dispatcher<ExpertParallel, ExpertTensor, Overflow, aligned_rows<Rows>>
    : direct_dispatcher<ExpertParallel, ExpertTensor, Overflow, compact> {
  using move = sequence<direct_send<ExpertParallel, ExpertTensor, Overflow, sharded<tokens, as_given>, Rows>>;
};

/// One row for each token and rank, as in all_to_all_dispatcher<..., deduplicated> and to the same bits; the memory
/// holds EP ETP T rows.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
struct direct_dispatcher<ExpertParallel, ExpertTensor, Overflow, deduplicated>
    : all_to_all_dispatcher<ExpertParallel, ExpertTensor, deduplicated> {
  using bring = sequence<direct_tokens<ExpertParallel, ExpertTensor, Overflow>>;
};

}  // namespace heddle::inline HEDDLE_ABI
