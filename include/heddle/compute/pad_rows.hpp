// SPDX-License-Identifier: Apache-2.0
// Rows in expert order with a gap of zeros behind each expert, so that every expert has a multiple of some number of
// rows, and back.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group, class Mode>
struct pad_rows;
template <class Group, class Mode>
struct unpad_rows;

/// Rows [R, hidden], or one weight a row, to as many as `Mode` asks; an expert without rows gets none.
template <class Group, class Mode>
struct pad_rows : operation_base<"pad", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                 unpad_rows<Group, Mode>, Group> {};

/// The rows without the gaps.
template <class Group, class Mode>
struct unpad_rows : operation_base<"unpad", placement<on<Group, routed>>, placement<on<Group, routed>>,
                                   pad_rows<Group, Mode>, Group> {};

}  // namespace heddle::inline HEDDLE_ABI
