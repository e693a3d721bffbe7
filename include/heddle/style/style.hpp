// SPDX-License-Identifier: Apache-2.0
// A style is a sentence: where the input lies, how weight and bias are cut, where the output shall lie. The collectives
// follow from the placements.
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The one operation that takes a tensor from one state on a group to another.
template <class Group, class From, class To>
struct convert {
  static_assert(std::same_as<From, void>,
                "[heddle.style.convert] no single collective turns the first state into the second. Fix: choose an "
                "input or output state "
                "that copy, all_reduce, split, unsplit, all_gather or reduce_scatter connects.");
};
template <class Group, class State>
struct convert<Group, State, State> {
  using type = sequence<>;
};
template <class Group>
struct convert<Group, replicated, varying> {
  using type = sequence<copy<Group>>;
};
template <class Group>
struct convert<Group, partial, replicated> {
  using type = sequence<all_reduce<Group>>;
};
template <class Group, class Axis, class P>
struct convert<Group, replicated, sharded<Axis, P>> {
  using type = sequence<split<Group, Axis, P>>;
};
template <class Group, class Axis, class P>
struct convert<Group, sharded<Axis, P>, replicated> {
  using type = sequence<unsplit<Group, Axis, P>>;
};
template <class Group, class Axis, class P>
struct convert<Group, sharded<Axis, P>, varying> {
  using type = sequence<all_gather<Group, Axis, P>>;
};
template <class Group, class Axis, class P>
struct convert<Group, partial, sharded<Axis, P>> {
  using type = sequence<reduce_scatter<Group, Axis, P>>;
};
/// The sequence, of one collective or none, that `convert` chooses.
template <class Group, class From, class To>
using convert_t = typename convert<Group, From, To>::type;

/// What a cut of the weight asks of its operand and makes of the result.
template <class Input, class Weight>
struct operand;
template <class Input>
struct operand<Input, replicated> {
  using takes = Input;
  using gives = Input;
};
template <class Input, class P>
struct operand<Input, sharded<out_features, P>> {
  using takes = varying;
  using gives = sharded<hidden, P>;
};
template <class Input, class P>
struct operand<Input, sharded<in_features, P>> {
  using takes = sharded<hidden, P>;
  using gives = partial;
};

/// A linear layer's sentence on one group. The bias is added to the finished sum where the result is one.
template <fixed_string Name, class Group, class Input, class Weight, class Bias, class Output>
struct linear_style {
  static constexpr auto name = Name;
  using group = Group;
  using weight = placement<on<Group, Weight>>;
  using bias = placement<on<Group, Bias>>;

 private:
  using cut = operand<Input, Weight>;
  using takes = typename cut::takes;
  using gives = typename cut::gives;
  using enter = convert_t<Group, Input, takes>;
  using leave = convert_t<Group, gives, Output>;
  using multiply = sequence<gemm<placement<on<Group, takes>>, placement<on<Group, gives>>, weight>>;
  static constexpr bool summed = std::same_as<gives, partial>;
  using add = sequence<add_bias<placement<on<Group, std::conditional_t<summed, Output, gives>>>, bias>>;

 public:
  using forward =
      std::conditional_t<summed, concat_t<enter, multiply, leave, add>, concat_t<enter, multiply, add, leave>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
