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

/// The same over all ranks of two groups, where there is a copy for each rank of the inner one.
template <class ExpertTensor, class ExpertParallel>
struct all_to_all<joint<ExpertTensor, ExpertParallel>>
    : operation_base<"all_to_all", placement<on<ExpertParallel, bucketed>, on<ExpertTensor, bucketed>>,
                     placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>,
                     all_to_all_back<joint<ExpertTensor, ExpertParallel>>, joint<ExpertTensor, ExpertParallel>> {
  static constexpr bool communicates = true;
};

/// What the ranks of the inner group made of their copies stays apart on its way home.
template <class ExpertTensor, class ExpertParallel>
struct all_to_all_back<joint<ExpertTensor, ExpertParallel>>
    : operation_base<"all_to_all", placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>,
                     placement<on<ExpertParallel, bucketed>, on<ExpertTensor, bucketed>>,
                     all_to_all<joint<ExpertTensor, ExpertParallel>>, joint<ExpertTensor, ExpertParallel>> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
