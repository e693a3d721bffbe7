// SPDX-License-Identifier: Apache-2.0
// Axes of tensors are named tags. A user's own axis is one line: `struct patches : heddle::axis<"patches"> {};`
#pragma once

#include <heddle/core/fixed_string.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Base of an axis tag: a type of its own with a name for messages and descriptions.
template <fixed_string Name>
struct axis {
  static constexpr auto name = Name;
};

struct tokens : axis<"tokens"> {};              ///< rows of an activation, in the order of the batch
struct hidden : axis<"hidden"> {};              ///< the last axis of an activation, whatever its width at that point
struct ffn : axis<"ffn"> {};                    ///< the inner width of an MLP or expert
struct experts : axis<"experts"> {};            ///< the leading axis of merged expert weights
struct slots : axis<"slots"> {};                ///< the k choices of one token, in descending order of score
struct vocab : axis<"vocab"> {};                ///< rows of an embedding table, one a token id
struct out_features : axis<"out_features"> {};  ///< rows of a weight [out, in]
struct in_features : axis<"in_features"> {};    ///< columns of a weight [out, in]

}  // namespace heddle::inline HEDDLE_ABI
