// SPDX-License-Identifier: Apache-2.0
// Experts with room for a limited number of tokens: what does not fit is dropped, behind the choice and its weights
// (GShard, Switch; Megatron's capacity). Capacity counts the tokens of one rank.
#pragma once

#include <heddle/kernel/capacity.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

using kernel::drop_by;

/// How many rows an expert gets from a rank: those that chose it, or always its capacity, with rows of nobody behind
/// them, so that shapes do not depend on the data. Rows of nobody change no result.
enum class expert_room { as_chosen, to_capacity };

template <drop_by By, expert_room Rows = expert_room::as_chosen>
struct drop;
template <drop_by By, expert_room Rows = expert_room::as_chosen>
struct drop_grad;

/// Weights [tokens, slots] with ids -> the same with id -1 and weight 0 where an expert is full. The others keep their
/// weights. Capacity is `expert_capacity` of the tokens of this rank that are no padding, by the weights'
/// `options.capacity_factor` and `least_capacity`. The report's `kept` and `dropped` count the choices of each expert.
/// Rows are padded where they are ordered before they travel; a dispatcher that gathers tokens takes them as chosen.
template <drop_by By, expert_room Rows>
struct drop : operation_base<"drop", placement<>, placement<>, drop_grad<By, Rows>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::outputs;
};
/// A weight that was dropped has no gradient.
template <drop_by By, expert_room Rows>
struct drop_grad : operation_base<"drop_grad", placement<>, placement<>, drop<By, Rows>> {};

}  // namespace heddle::inline HEDDLE_ABI
