// SPDX-License-Identifier: Apache-2.0
// The styles of mixture-of-experts parameters and modules, by their names in Hugging Face's plans.
#pragma once

#include <heddle/compute/mask_routing.hpp>
#include <heddle/compute/spread.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/sequence/combinators.hpp>
#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Merged expert parameters [experts, ...] cut by expert. It says where a parameter lies; the layer moves the rows.
template <class Group>
struct grouped_gemm {
  static constexpr fixed_string name = "grouped_gemm";
  using group = Group;
  using weight = placement<on<Group, sharded<experts>>>;
  using bias = placement<on<Group, sharded<experts>>>;
  using forward = sequence<>;
  using backward = sequence<>;
};

/// Two cuts of one parameter: experts over ep and, inside each, features over etp. The outer group is named first.
template <class Outer, class Inner>
struct both {
  static constexpr fixed_string name = "both";
  using outer = Outer;
  using inner = Inner;
  using weight = concat_t<typename Outer::weight, typename Inner::weight>;
  using bias = concat_t<typename Outer::bias, typename Inner::bias>;
  using forward = sequence<>;
  using backward = sequence<>;
};

/// A replicated router whose choices each rank masks to its own experts: ids and weights keep the shape [tokens,
/// slots], with id -1 and weight 0 for an expert elsewhere.
template <class Group, class Router>
struct ep_router {
  static constexpr fixed_string name = "ep_router";
  using group = Group;
  using weight = placement<>;
  using bias = placement<>;
  using forward = concat_t<typename Router::route, sequence<copy<Group>, mask_routing<Group>>>;
  using backward = conjugate_t<forward>;
};

/// The experts' module where every rank sees every token: hidden states and weights enter, the sum of outputs leaves.
/// `Gates` is `replicated` for a plain router and `varying` behind an ep_router; `Body` runs between.
template <class Group, class Body, class Gates = replicated>
struct moe_tp_experts {
  static constexpr fixed_string name = "moe_tp_experts";
  using group = Group;
  using weight = placement<>;
  using bias = placement<>;
  using forward = concat_t<sequence<on_port<0, sequence<copy<Group>>>, on_port<1, convert_t<Group, Gates, varying>>>,
                           Body, sequence<all_reduce<Group>>>;
  using backward = conjugate_t<forward>;
};

/// An expert that returns its input on every rank of a group whose outputs are summed: divided by that group's size.
template <class Group>
struct moe_identity_expert {
  static constexpr fixed_string name = "moe_identity_expert";
  using group = Group;
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<spread<Group>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
