// SPDX-License-Identifier: Apache-2.0
// The heart of every router: logits become the experts of each token and their weights. The rule says what a choice is
// worth, the choice who is chosen. Selection has no gradient; the weights' does not depend on how the choice was made.
#pragma once

#include <heddle/sequence/operation.hpp>
#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Every token chooses its k best experts, of those that the limit on groups and the expert bias leave.
struct best_experts {
  static constexpr fixed_string name = "top_k";
  static constexpr fixed_string grad_name = "top_k_grad";
  using at = placement<>;  ///< what the choice asks of the placement of tokens
  static constexpr bool communicates = false;
  /// Slots of a token.
  [[nodiscard]] static constexpr index_t slots_of(index_t top_k, index_t) { return top_k; }
};

template <class Rule, int TopK, class Choice = best_experts>
struct choose;
template <class Rule, int TopK, class Choice = best_experts>
struct choose_grad;

/// Logits [tokens, experts] -> weights [tokens, slots] with their ids, which go into the step's `routing` too; the
/// report's `kept` counts the choices of this rank's tokens. `Rule` is a `kernel::routing_rule`; k is `TopK`, or the
/// weights' `top_k` where that is `dynamic`. Tokens that are padding choose nobody; a recording in the step's inputs is
/// taken in place of a choice, on every rank or on none.
template <class Rule, int TopK, class Choice>
struct choose
    : operation_base<Choice::name, typename Choice::at, typename Choice::at, choose_grad<Rule, TopK, Choice>> {
  static constexpr bool linear = false;
  static constexpr bool communicates = Choice::communicates;
  static constexpr keep keeps = keep::both;
  using rule = Rule;
  using choice = Choice;
  static constexpr int top_k = TopK;
};
/// The gradient of the weights [tokens, slots] -> that of the logits [tokens, experts].
template <class Rule, int TopK, class Choice>
struct choose_grad : operation_base<Choice::grad_name, dual_t<typename Choice::at>, dual_t<typename Choice::at>,
                                    choose<Rule, TopK, Choice>> {};

}  // namespace heddle::inline HEDDLE_ABI
