// SPDX-License-Identifier: Apache-2.0
// Styles whose parameters are shared out over the ranks that would otherwise hold copies (FSDP, ZeRO-3): dp for dense
// layers, edp for experts, `joint<cp, dp>` for both of the groups that tokens are dealt to.
#pragma once

#include <heddle/placement/shards.hpp>
#include <heddle/sequence/gathered.hpp>
#include <heddle/style/expert_body.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Placement, class Group, class Shards>
using shared_placement = concat_t<Placement, placement<on<Group, typename Shards::template state<Placement>>>>;

/// The sequence on gathered parameters; itself where it has none.
template <class Forward, class Group, class When, class Shards>
struct gathered_for {
  using type = Forward;
};
template <class Forward, class Group, class When, class Shards>
  requires(parameterised_in<Forward>::type::size > 0)
struct gathered_for<Forward, Group, When, Shards> {
  using type = sequence<gathered<Group, When, Shards, Forward>>;
};

}  // namespace detail

/// `Style`, of whose parameters each rank of `Group` holds a part: what the style's own cuts leave a rank is cut again,
/// by rows (`by_rows`), by experts (`by_experts`) or by rows of every expert (`by_rows_of_experts`). Weights are the
/// same structs, their views the rank's part; an empty part keeps its other sizes, and a norm states `full_width`.
/// Tokens must be dealt over `Group`. Gradients need no sum over it any more: `reduce_gradients` takes those that are
/// left, over a `replica` axis for instance (HSDP). The weight pass communicates, once a micro-batch: on a second lane
/// only where that lane's execution has `mesh_groups` of its own over the same ranks.
template <class Style, class Group, class When = gather_again, class Shards = by_rows<>>
struct fsdp {
  static constexpr fixed_string name = "fsdp";
  using group = Group;
  using style = Style;
  using weight = detail::shared_placement<typename Style::weight, Group, Shards>;
  using bias = detail::shared_placement<typename Style::bias, Group, Shards>;
  using forward = typename detail::gathered_for<typename Style::forward, Group, When, Shards>::type;
  using backward = conjugate_t<forward>;
};

/// An expert policy whose matrices and biases are shared out over the ranks that have the same experts. They are
/// gathered together, for all that happens to the rows at their experts.
template <class Expert, class Group = edp, class When = gather_again, class Shards = by_experts>
struct fsdp_expert {
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups : Expert::template on_groups<ExpertParallel, ExpertTensor> {
    using unshared = typename Expert::template on_groups<ExpertParallel, ExpertTensor>;
    template <class Body>
    using shared = typename detail::gathered_for<Body, Group, When, Shards>::type;
  };
};

/// A router policy whose parameters are shared out. Its tokens lie on the expert grid: `Group` is a joint group of it.
template <class Router, class Group, class When = gather_again>
struct fsdp_router {
  using route = typename detail::gathered_for<typename Router::route, Group, When, by_rows<>>::type;
};

namespace detail {

template <class Parts, weight_at At>
  requires requires { typename Parts::unshared; }
struct expert_body<Parts, At> {
  using type = typename Parts::template shared<typename expert_body<typename Parts::unshared, At>::type>;
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
