// SPDX-License-Identifier: Apache-2.0
// Rows to the ranks of their experts and back. Both directions are the same exchange with the counts swapped.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group>
struct all_to_all;
template <class Group>
struct all_to_all_back;

/// Bucketed rows leave for the ranks of their experts; send counts are this rank's, receive counts the peers'.
template <class Group>
struct all_to_all : operation_base<"all_to_all", placement<on<Group, bucketed>>, placement<on<Group, routed>>,
                                   all_to_all_back<Group>, Group> {
  static constexpr bool communicates = true;
};

/// The same exchange with send and receive counts swapped.
template <class Group>
struct all_to_all_back : operation_base<"all_to_all", placement<on<Group, routed>>, placement<on<Group, bucketed>>,
                                        all_to_all<Group>, Group> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
