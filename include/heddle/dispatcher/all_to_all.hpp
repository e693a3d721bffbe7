// SPDX-License-Identifier: Apache-2.0
// Each token copy travels to the rank of its expert and comes back: permute by global expert, all_to_all over ep,
// all_gather over etp, chunks into local-expert order (Megatron's all-to-all dispatcher). Its policies: rows of an
// expert aligned (torchtitan), and tokens sent once a rank (DeepEP).
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/all_to_all.hpp>
#include <heddle/collective/send_tokens.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Rows lie one behind the other.
struct compact {};
/// The rows of every expert begin at a multiple of `Rows`, for products that work in tiles of so many.
template <int Rows>
struct aligned_rows {};

/// `Policy` is `compact`, `aligned_rows<Rows>` or `deduplicated`.
template <class ExpertParallel = ep, class ExpertTensor = etp, class Policy = compact>
struct all_to_all_dispatcher;

/// Every token copy goes to the one rank that has its expert, and its result comes back to the token's rank. `order` is
/// the sort into expert order, `move` the transport; combine is their conjugate.
template <class ExpertParallel, class ExpertTensor>
struct all_to_all_dispatcher<ExpertParallel, ExpertTensor, compact> {
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

/// The same with zeros behind the rows of each expert: the same bits, since zeros add nothing.
template <class ExpertParallel, class ExpertTensor, int Rows>
struct all_to_all_dispatcher<ExpertParallel, ExpertTensor, aligned_rows<Rows>>
    : all_to_all_dispatcher<ExpertParallel, ExpertTensor> {
  using move = sequence<all_to_all<ExpertParallel>, all_gather<ExpertTensor, tokens, as_given>,
                        align_chunks<ExpertParallel, Rows>>;
};

/// Every token goes once to each rank that has any of its experts, and becomes copies there. A rank sums its copies of
/// a token in slot order, and home adds the sums in the order of the ranks: fewer rows travel than there are choices.
template <class ExpertParallel, class ExpertTensor>
struct all_to_all_dispatcher<ExpertParallel, ExpertTensor, deduplicated> {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  /// Copies are summed where their experts are.
  static constexpr bool returns_copies = false;
  using copies_home = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
  using weights_home = placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>;
  using bring = sequence<send_tokens<ExpertParallel>, all_gather<ExpertTensor, tokens, as_given>>;
  using order = sequence<expand<ExpertParallel>>;
  using move = sequence<>;
};

}  // namespace heddle::inline HEDDLE_ABI
