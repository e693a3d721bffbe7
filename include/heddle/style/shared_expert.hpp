// SPDX-License-Identifier: Apache-2.0
// An expert that every token visits, beside the routed ones: y = routed(x) + [sigmoid(x . gate)] shared(x). Its
// matrices are whole on every rank, or cut over the ranks of a tensor group.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/token_gate.hpp>
#include <heddle/sequence/abreast.hpp>
#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// How rows and matrices lie: whole on every rank, ...
template <class Activation>
struct whole_shared {
  using entered = placement<>;
  using wide = placement<>;
  using narrow = placement<>;
  using left = placement<>;
  using fc1_weight = placement<>;
  using fc2_weight = placement<>;
  using activation = Activation;
};
/// ... or the columns of the first matrix and the rows of the second cut over a group.
template <class Group, class Packed, class Plain>
struct cut_matrices {
  using entered = placement<on<Group, varying>>;
  using wide = placement<on<Group, sharded<hidden, Packed>>>;
  using narrow = placement<on<Group, sharded<hidden, Plain>>>;
  using left = placement<on<Group, partial>>;
  using fc1_weight = placement<on<Group, sharded<out_features, Packed>>>;
  using fc2_weight = placement<on<Group, sharded<in_features, Plain>>>;
};
/// The activation says which columns stay together.
template <class Group, class Activation>
struct cut_shared : cut_matrices<Group, ceil_chunk, ceil_chunk> {
  static_assert(std::same_as<Activation, void>,
                "[heddle.shared_expert.activation] between the matrices of a shared expert that is cut over a group "
                "stands something else than one activation. Fix: name sequence<glu<...>> or sequence<activate<...>>, "
                "or leave the group out.");
  using activation = sequence<>;
};
template <class Group, class Activation, class Layout>
struct cut_shared<Group, sequence<glu<Activation, placement<>, placement<>, Layout>>>
    : cut_matrices<Group, typename Layout::packed, typename Layout::plain> {
  using matrices = cut_matrices<Group, typename Layout::packed, typename Layout::plain>;
  using activation = sequence<glu<Activation, typename matrices::wide, typename matrices::narrow, Layout>>;
};
template <class Group, class Activation>
struct cut_shared<Group, sequence<activate<Activation, placement<>>>> : cut_matrices<Group, ceil_chunk, ceil_chunk> {
  using activation = sequence<activate<Activation, typename cut_matrices<Group, ceil_chunk, ceil_chunk>::wide>>;
};

/// Two products around the activation, and the gate of the rows that come out.
template <class Lie, bool Gated>
struct shared_body {
  template <class Role, class From, class To, class Weight>
  using multiply = sequence<gemm<From, To, Weight, Role>>;
  using entered = typename Lie::entered;
  using left = typename Lie::left;
  using products = concat_t<multiply<shared_fc1_role, entered, typename Lie::wide, typename Lie::fc1_weight>,
                            typename Lie::activation,
                            multiply<shared_fc2_role, typename Lie::narrow, left, typename Lie::fc2_weight>>;
  using gate = concat_t<multiply<shared_gate_role, entered, entered, placement<>>, sequence<token_gate<entered>>>;
  using type = std::conditional_t<Gated, sequence<fork<products, gate>, gate_scale<left, entered>>, products>;
};

/// How tokens come to a shared expert that is cut, and how its summands leave.
template <class Group, class Tokens>
struct shared_ends {
  static_assert(std::same_as<Tokens, void>,
                "[heddle.shared_expert.tokens] tokens lie on the group of a shared expert neither whole nor in parts. "
                "Fix: name `replicated`, or `sharded<tokens, ...>` for sequence parallelism.");
};
template <class Group>
struct shared_ends<Group, replicated> {
  using enter = sequence<mask_padding<placement<on<Group, replicated>>>, copy<Group>>;
  using leave = sequence<all_reduce<Group>, mask_padding<>>;
};
template <class Group, class Partition>
struct shared_ends<Group, sharded<tokens, Partition>> {
  using enter =
      sequence<mask_padding<placement<on<Group, sharded<tokens, Partition>>>>, all_gather<Group, tokens, Partition>>;
  using leave = sequence<reduce_scatter<Group, tokens, Partition>, mask_padding<>>;
};

}  // namespace detail

/// `Activation` is a sequence between the two matrices; `Gated` says whether a gate weighs the output (Qwen2-MoE) or
/// not (DeepSeek-V3, Llama 4). Without `TensorParallel` weights are whole on every rank. With it the matrices are cut
/// over that group as `fc1_weight` and `fc2_weight` say (the gate's row is not), outputs are summed over it, and
/// `Tokens` says how tokens lie on it: `replicated`, or `sharded<tokens, ...>`, then they are gathered and the sums
/// dealt out again (Megatron's shared experts). Rows of padding tokens are zero, going in, so that no number in them
/// has a part in any gradient, and coming out.
template <class Activation = sequence<glu<silu>>, bool Gated = false, class TensorParallel = void,
          class Tokens = replicated>
struct shared_expert {
  static constexpr fixed_string name = "shared_expert";
  using group = TensorParallel;
  using lie = detail::cut_shared<TensorParallel, Activation>;
  using weight = placement<>;
  using bias = placement<>;
  using fc1_weight = typename lie::fc1_weight;
  using fc2_weight = typename lie::fc2_weight;
  using enter = typename detail::shared_ends<TensorParallel, Tokens>::enter;
  /// What needs no other rank.
  using body = typename detail::shared_body<lie, Gated>::type;
  using leave = typename detail::shared_ends<TensorParallel, Tokens>::leave;
  using forward = concat_t<enter, body, leave>;
  using backward = conjugate_t<forward>;
};
template <class Activation, bool Gated, class Tokens>
struct shared_expert<Activation, Gated, void, Tokens> {
  static constexpr fixed_string name = "shared_expert";
  using weight = placement<>;
  using bias = placement<>;
  using fc1_weight = placement<>;
  using fc2_weight = placement<>;
  using forward =
      concat_t<sequence<mask_padding<>>, typename detail::shared_body<detail::whole_shared<Activation>, Gated>::type,
               sequence<mask_padding<>>>;
  using backward = conjugate_t<forward>;
};

/// `Layer` and `Shared` on the same tokens. The shared expert comes first: on an execution with a second lane it
/// computes there while the tokens of the routed ones travel, forward and backward, with the same bits. Where it is cut
/// over a group, that group speaks on the first lane, before and behind the routed experts.
template <class Layer, class Shared>
struct with_shared {
  static constexpr fixed_string name = "with_shared";
  using weight = placement<>;
  using bias = placement<>;
  using forward =
      sequence<fork<sequence<beside<typename Shared::forward>>, typename Layer::forward>, join<sequence<>, sequence<>>>;
  using backward = conjugate_t<forward>;
};
template <class Layer, class Shared>
  requires requires { typename Shared::leave; }
struct with_shared<Layer, Shared> {
  static constexpr fixed_string name = "with_shared";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<fork<typename Shared::enter, sequence<>>,
                           abreast<sequence<beside<typename Shared::body>>, typename Layer::forward>,
                           join<typename Shared::leave, sequence<>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
