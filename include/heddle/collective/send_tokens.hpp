// SPDX-License-Identifier: Apache-2.0
// A token goes once to each rank that has any of its experts, however many of them (DeepEP), and what each rank made of
// it comes home to be summed.
#pragma once

#include <heddle/collective/direct.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The policy of dispatchers that send one row for each token and rank.
struct deduplicated {};

template <class Group>
struct send_tokens;
template <class Group>
struct return_sums;

/// Tokens, or their choices and weights, go to the ranks of their experts, ordered by source, then token.
template <class Group>
struct send_tokens : operation_base<"send_tokens", placement<on<Group, sharded<tokens, as_given>>>,
                                    placement<on<Group, routed>>, return_sums<Group>, Group> {
  static constexpr bool communicates = true;
};

/// A token's rows come home from its ranks and are summed in ascending order of the ranks.
template <class Group>
struct return_sums : operation_base<"return_sums", placement<on<Group, routed>>,
                                    placement<on<Group, sharded<tokens, as_given>>>, send_tokens<Group>, Group> {
  static constexpr bool communicates = true;
};

template <class ExpertParallel, class ExpertTensor, on_overflow Overflow = on_overflow::error>
struct direct_tokens;
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow = on_overflow::error>
struct direct_sums;

/// The same by stores into the memory of those ranks: of all ranks of their tensor groups.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
struct direct_tokens
    : operation_base<
          "direct_tokens",
          placement<on<ExpertParallel, sharded<tokens, as_given>>, on<ExpertTensor, sharded<tokens, as_given>>>,
          placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>,
          direct_sums<ExpertParallel, ExpertTensor, Overflow>, ExpertParallel, ExpertTensor> {
  static constexpr bool communicates = true;
};

/// What comes home is summed over the ranks of a tensor group, rounded, and then over the tensor groups.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
struct direct_sums
    : operation_base<
          "direct_sums", placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>,
          placement<on<ExpertParallel, sharded<tokens, as_given>>, on<ExpertTensor, sharded<tokens, as_given>>>,
          direct_tokens<ExpertParallel, ExpertTensor, Overflow>, ExpertParallel, ExpertTensor> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
