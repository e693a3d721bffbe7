// SPDX-License-Identifier: Apache-2.0
// What makes a type a router: one sequence from activations to routing weights.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `route` takes activations [tokens, hidden] to routing weights [tokens, slots] and has a conjugate.
template <class Type>
concept router = requires {
  typename Type::route::conjugate;
};

}  // namespace heddle::inline HEDDLE_ABI
