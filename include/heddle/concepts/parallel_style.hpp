// SPDX-License-Identifier: Apache-2.0
// What makes a type a parallel style: a name, how weight and bias are cut, and the forward sequence.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `weight` and `bias` are placements of the parameters; `forward::from` and `forward::to` those of the activations.
template <class Type>
concept parallel_style = requires {
  Type::name.view();
  typename Type::weight;
  typename Type::bias;
  typename Type::forward;
  typename Type::forward::from;
  typename Type::forward::to;
};

}  // namespace heddle::inline HEDDLE_ABI
