// SPDX-License-Identifier: Apache-2.0
// The expert group and the tensor group inside it as one: a token copy goes at once to every rank that has a part of
// its expert, and the results of all of them come home to be summed (Megatron's flex dispatcher).
#pragma once

#include <heddle/collective/all_to_all.hpp>
#include <heddle/collective/direct.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/compute/repeat_choices.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Rows travel in one exchange over all ranks, ...
struct by_all_to_all {
  template <class ExpertParallel, class ExpertTensor>
  using move = sequence<all_to_all<joint<ExpertTensor, ExpertParallel>>, sort_chunks<ExpertParallel>>;
};
/// ... or are stored where their experts read them.
template <on_overflow Overflow = on_overflow::error>
struct by_direct {
  template <class ExpertParallel, class ExpertTensor>
  using move = sequence<direct_send<ExpertParallel, ExpertTensor, Overflow, bucketed>>;
};

/// K choices among E experts become K ETP choices among E ETP parts of experts; one exchange instead of two, for the
/// price of ETP rows home instead of their sum. The sum over a token's copies is taken at home, slot by slot, and
/// within a slot by rank of `ExpertTensor`. Needs the communicator of `joint<ExpertTensor, ExpertParallel>`.
template <class ExpertParallel = ep, class ExpertTensor = etp, class Transport = by_all_to_all>
struct flex_dispatcher {
  using group = ExpertParallel;
  using tensor_group = ExpertTensor;
  static constexpr bool returns_copies = true;
  using copies_home = placement<on<ExpertParallel, bucketed>, on<ExpertTensor, bucketed>>;
  using weights_home = detail::at_home<ExpertParallel, ExpertTensor>;
  using bring = sequence<repeat_choices<ExpertParallel, ExpertTensor>>;
  using order = sequence<permute<joint<ExpertTensor, ExpertParallel>>>;
  using move = typename Transport::template move<ExpertParallel, ExpertTensor>;
};

}  // namespace heddle::inline HEDDLE_ABI
