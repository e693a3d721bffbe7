// SPDX-License-Identifier: Apache-2.0
// No exchange of tokens: every rank of the group sees every token, runs its own experts on those that chose them, and
// the outputs are summed (the expert parallelism of Hugging Face's tensor_parallel.py).
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Tokens` says how tokens lie on the group: `replicated`, or sharded, then they are gathered first and reduced back.
template <class ExpertParallel = ep, class ExpertTensor = etp, class Tokens = replicated>
struct masked;

/// Tokens are on every rank already: nothing moves on the way in, and an all_reduce sums on the way out.
template <class ExpertParallel, class ExpertTensor>
struct masked<ExpertParallel, ExpertTensor, replicated> {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  static constexpr bool returns_copies = false;
  using copies_home = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
  using weights_home = placement<on<ExpertParallel, varying>, on<ExpertTensor, varying>>;
  using bring = sequence<copy<ExpertParallel>, copy<ExpertTensor>>;
  using order = sequence<select_local<ExpertParallel>>;
  using move = sequence<>;
};

/// Tokens are cut over the group: they are gathered on the way in and reduce_scattered on the way out.
template <class ExpertParallel, class ExpertTensor, class Partition>
struct masked<ExpertParallel, ExpertTensor, sharded<tokens, Partition>> {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  static constexpr bool returns_copies = false;
  using copies_home = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
  using weights_home = placement<on<ExpertParallel, varying>, on<ExpertTensor, varying>>;
  using bring = sequence<all_gather<ExpertTensor, tokens, Partition>, all_gather<ExpertParallel, tokens, Partition>>;
  using order = sequence<select_local<ExpertParallel>>;
  using move = sequence<>;
};

}  // namespace heddle::inline HEDDLE_ABI
