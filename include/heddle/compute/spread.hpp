// SPDX-License-Identifier: Apache-2.0
// The same value on every rank, divided by the number of ranks, is a summand of itself. An expert that returns its
// input (LongCat's zero experts) needs this where its outputs are summed over a group.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// y = x / |Group|. Its own conjugate.
template <class Group>
struct spread
    : operation_base<"spread", placement<on<Group, varying>>, placement<on<Group, partial>>, spread<Group>, Group> {};

}  // namespace heddle::inline HEDDLE_ABI
