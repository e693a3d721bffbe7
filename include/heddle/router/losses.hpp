// SPDX-License-Identifier: Apache-2.0
// Losses that a router adds to the one it is trained for: an even use of its experts, and small logits. Logits pass
// through; the report says what the losses are, and on the way back their gradients are added. The formulas are those
// of kernel/balance_loss.hpp and kernel/z_loss.hpp.
#pragma once

#include <heddle/kernel/balance_loss.hpp>
#include <heddle/kernel/z_loss.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

using kernel::balance_scale;

/// Over what a router is balanced: all tokens of the ranks that share the loss, or each sequence of the weights'
/// `options.sequence_length` tokens.
enum class balance_over { tokens, sequences };

/// The balance loss of scores by `Score` ("auxiliary loss": GShard, Switch), times `options.aux_coeff`; nothing where
/// that is 0. The choices of earlier steps take part in it where the step's inputs have a `history` (Megatron's global
/// loss). k as in `choose`.
template <class Score, balance_scale Scale = balance_scale::megatron, balance_over Over = balance_over::tokens,
          int TopK = static_cast<int>(dynamic)>
struct aux_loss {};
/// The mean squared logarithm of the sum of e^logit (ST-MoE), times `options.z_coeff`; nothing where that is 0.
struct z_loss {};

/// Tokens that are dealt out over these groups: a loss is one sum over their ranks. Without a group, every rank has a
/// loss of its own.
template <class... Groups>
using dealt_over = placement<on<Groups, sharded<tokens, as_given>>...>;

template <class Tokens, class... Terms>
struct losses;
template <class Tokens, class... Terms>
struct losses_grad;

/// Logits [tokens, experts] -> the same. `Tokens` says over which groups tokens are dealt and how, `Terms` are
/// `aux_loss` and `z_loss`. The report has the same losses on every rank of these groups; each rank adds the gradient
/// of its own logits, so that the sum of parameter gradients over the groups is that of the one loss, times
/// `options.loss_scale`. Coefficients are the same on every rank.
template <class... Groups, class... States, class... Terms>
struct losses<placement<on<Groups, States>...>, Terms...>
    : operation_base<"losses", placement<on<Groups, States>...>, placement<on<Groups, States>...>,
                     losses_grad<placement<on<Groups, States>...>, Terms...>, Groups...> {
  static_assert(
      sizeof...(Terms) > 0,
      "[heddle.losses.none] losses without a term. Fix: name aux_loss<...>, z_loss or both, or leave it out.");
  static constexpr bool linear = false;
  static constexpr bool communicates = sizeof...(Groups) > 0;
  static constexpr keep keeps = keep::inputs;
};
/// The gradient of the logits -> the same plus that of the losses. It asks nobody: the forward pass has left the sums.
template <class... Groups, class... States, class... Terms>
struct losses_grad<placement<on<Groups, States>...>, Terms...>
    : operation_base<"losses_grad", dual_t<placement<on<Groups, States>...>>, dual_t<placement<on<Groups, States>...>>,
                     losses<placement<on<Groups, States>...>, Terms...>, Groups...> {
  static constexpr bool linear = false;
};

}  // namespace heddle::inline HEDDLE_ABI
