// SPDX-License-Identifier: Apache-2.0
// What makes a type a dispatcher: its groups, and two sequences, `order` (copies into expert order) and `move`
// (transport). Combine is derived as the conjugate of both.
#pragma once

#include <concepts>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `group` owns the experts, `tensor_group` cuts each of them; `returns_copies` says whether the sum over a token's
/// copies is taken at home (true) or where the experts are.
template <class Type>
concept dispatcher = requires {
  typename Type::group;
  typename Type::tensor_group;
  typename Type::order::conjugate;
  typename Type::move::conjugate;
  { Type::returns_copies } -> std::convertible_to<bool>;
};

}  // namespace heddle::inline HEDDLE_ABI
