// SPDX-License-Identifier: Apache-2.0
// What makes a type a dispatcher: its groups, and three sequences, `bring` (tokens move as tokens), `order` (tokens
// become copies in expert order) and `move` (copies move). Combine is derived as the conjugate of all three.
#pragma once

#include <concepts>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `group` owns the experts, `tensor_group` cuts each of them. The sum over a token's copies is taken by the conjugate
/// of `order`: `copies_home` and `weights_home` say how copies and routing weights lie just before it, and
/// `returns_copies` whether that is on the token's own rank (true) or where the experts are.
template <class Type>
concept dispatcher = requires {
  typename Type::group;
  typename Type::tensor_group;
  typename Type::bring::conjugate;
  typename Type::order::conjugate;
  typename Type::move::conjugate;
  typename Type::copies_home;
  typename Type::weights_home;
  { Type::returns_copies } -> std::convertible_to<bool>;
};

}  // namespace heddle::inline HEDDLE_ABI
