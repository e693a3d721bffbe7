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

}  // namespace heddle::inline HEDDLE_ABI
