// SPDX-License-Identifier: Apache-2.0
// Token copies in expert order and back. Which copy goes where is run-time data in the `routing` of the step.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group>
struct permute;
template <class Group>
struct unpermute;

/// Every token becomes its k copies, ordered by expert, then token.
template <class Group>
struct permute : operation_base<"permute", placement<on<Group, sharded<tokens, as_given>>>,
                                placement<on<Group, bucketed>>, unpermute<Group>, Group> {};

/// The k copies of a token are summed in ascending slot order.
template <class Group>
struct unpermute : operation_base<"unpermute", placement<on<Group, bucketed>>,
                                  placement<on<Group, sharded<tokens, as_given>>>, permute<Group>, Group> {};

/// Every choice is of an expert on one rank of its tensor group: one copy a choice, ordered by rank, expert, then
/// token.
template <class ExpertTensor, class ExpertParallel>
struct permute<joint<ExpertTensor, ExpertParallel>>
    : operation_base<
          "permute",
          placement<on<ExpertParallel, sharded<tokens, as_given>>, on<ExpertTensor, sharded<tokens, as_given>>>,
          placement<on<ExpertParallel, bucketed>, on<ExpertTensor, bucketed>>,
          unpermute<joint<ExpertTensor, ExpertParallel>>, joint<ExpertTensor, ExpertParallel>> {};

/// All copies of a token are summed, slot by slot, and within a slot by rank of the tensor group.
template <class ExpertTensor, class ExpertParallel>
struct unpermute<joint<ExpertTensor, ExpertParallel>>
    : operation_base<
          "unpermute", placement<on<ExpertParallel, bucketed>, on<ExpertTensor, bucketed>>,
          placement<on<ExpertParallel, sharded<tokens, as_given>>, on<ExpertTensor, sharded<tokens, as_given>>>,
          permute<joint<ExpertTensor, ExpertParallel>>, joint<ExpertTensor, ExpertParallel>> {};

template <class Group>
struct select_local;
template <class Group>
struct unselect_local;

/// Every rank has every token and takes the copies that go to its own experts, in expert order.
template <class Group>
struct select_local : operation_base<"select", placement<on<Group, varying>>, placement<on<Group, routed>>,
                                     unselect_local<Group>, Group> {};

/// The copies a rank has are summed into their tokens; the sum over the group is the whole.
template <class Group>
struct unselect_local : operation_base<"unselect", placement<on<Group, routed>>, placement<on<Group, partial>>,
                                       select_local<Group>, Group> {};

template <class Group>
struct expand;
template <class Group>
struct collapse;

/// A rank has one row for each token that chose any of its experts; it becomes a copy for each of them, in expert
/// order.
template <class Group>
struct expand
    : operation_base<"expand", placement<on<Group, routed>>, placement<on<Group, routed>>, collapse<Group>, Group> {};

/// The copies that a rank has of a token are summed in ascending slot order.
template <class Group>
struct collapse
    : operation_base<"collapse", placement<on<Group, routed>>, placement<on<Group, routed>>, expand<Group>, Group> {};

template <class Group>
struct sort_chunks;
template <class Group>
struct unsort_chunks;

/// Rows that arrived ordered by source rank, then expert, become ordered by expert, then source rank.
template <class Group>
struct sort_chunks : operation_base<"sort_chunks", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                    unsort_chunks<Group>, Group> {};

/// The way back: rows ordered by expert, then source rank, become ordered by source rank, then expert.
template <class Group>
struct unsort_chunks : operation_base<"unsort_chunks", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                      sort_chunks<Group>, Group> {};

template <class Group, int Rows>
struct align_chunks;
template <class Group, int Rows>
struct unalign_chunks;

/// The sort of chunks where the rows of every expert begin at a multiple of `Rows`: zeros lie between one expert and
/// the next, and add nothing to any product or gradient.
template <class Group, int Rows>
struct align_chunks : operation_base<"align_chunks", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                     unalign_chunks<Group, Rows>, Group> {
  static_assert(Rows > 0, "[heddle.align.rows] an alignment of no rows. Fix: align to one row or more.");
};

/// The way back, without the zeros.
template <class Group, int Rows>
struct unalign_chunks : operation_base<"unalign_chunks", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                       align_chunks<Group, Rows>, Group> {};

}  // namespace heddle::inline HEDDLE_ABI
