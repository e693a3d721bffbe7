// SPDX-License-Identifier: Apache-2.0
// What every operation states about itself: a name, the placements it takes and gives on the groups it touches, and its
// one conjugate. Groups it does not name pass through unchanged.
#pragma once

#include <concepts>
#include <heddle/placement/dual.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Which of its values an operation needs again in the backward pass.
enum class keep { nothing, inputs, last_input, outputs, both };

/// Base of all operations. `From` and `To` are placements, or `ports` of placements where there are several values.
template <fixed_string Name, class From, class To, class Conjugate, class... Labels>
struct operation_base {
  static constexpr auto name = Name;
  using from = From;
  using to = To;
  using conjugate = Conjugate;
  /// Groups and axes that `describe` prints behind the name.
  using labels = type_list<Labels...>;
  /// A linear operation may run on a summand; any other refuses a `partial` value on every group.
  static constexpr bool linear = true;
  /// What is not linear may add to a summand that it names, where one rank of the group adds and the others do not.
  static constexpr bool once = false;
  /// Whether ranks speak to each other in it.
  static constexpr bool communicates = false;
  /// What the forward pass of training saves for the conjugate.
  static constexpr keep keeps = keep::nothing;
  /// How the trainable parameter is placed; void where the operation has none.
  using parameter = void;
};

/// What a sequence may hold; `operation_base` supplies all of it.
template <class Type>
concept operation = requires {
  typename Type::from;
  typename Type::to;
  typename Type::conjugate;
  typename Type::labels;
  typename Type::parameter;
  { Type::linear } -> std::convertible_to<bool>;
  Type::name.view();
};

/// An operation that multiplies rows by a trained parameter, whose gradient is a side output of its conjugate.
template <class Type>
concept parameterised = operation<Type> && !std::same_as<typename Type::parameter, void>;

/// The law that gives the backward pass: gradients travel the dual placements the other way.
template <class Operation>
inline constexpr bool obeys_law = std::same_as<typename Operation::conjugate::from, dual_t<typename Operation::to>>&&
    std::same_as<typename Operation::conjugate::to, dual_t<typename Operation::from>>&&
        std::same_as<typename Operation::conjugate::conjugate, Operation>;

}  // namespace heddle::inline HEDDLE_ABI
