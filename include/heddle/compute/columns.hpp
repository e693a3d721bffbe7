// SPDX-License-Identifier: Apache-2.0
// Cutting the hidden axis into named parts and putting them together: the latent and the rope part of MLA's projection.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At = placement<>>
struct slice;
template <class At = placement<>>
struct concat_columns;

/// [rows, a + b] -> [rows, a], [rows, b]; the widths are the parameter's.
template <class At>
struct slice : operation_base<"slice", At, ports<At, At>, concat_columns<dual_t<At>>> {};

/// [rows, a], [rows, b] -> [rows, a + b].
template <class At>
struct concat_columns : operation_base<"concat", ports<At, At>, At, slice<dual_t<At>>> {};

}  // namespace heddle::inline HEDDLE_ABI
