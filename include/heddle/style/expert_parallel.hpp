// SPDX-License-Identifier: Apache-2.0
// A whole mixture-of-experts layer from three policies: route, order, move, expert, move*, order*, with the gate scale
// at one of four points. Combine is never written: it is the conjugate of dispatch.
#pragma once

#include <heddle/collective/regrid.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/concepts/expert.hpp>
#include <heddle/concepts/router.hpp>
#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Dispatcher, class Expert, weight_at At>
struct moe_body {
  using ep_group = typename Dispatcher::group;
  using etp_group = typename Dispatcher::tensor_group;
  using parts = typename Expert::template on_groups<ep_group, etp_group>;
  using dispatch = concat_t<typename Dispatcher::order, typename Dispatcher::move>;
  using back = conjugate_t<typename Dispatcher::move>;
  using home = conjugate_t<typename Dispatcher::order>;
  static_assert(At != weight_at::origin || Dispatcher::returns_copies,
                "[heddle.weight_at.origin] this dispatcher sums token copies before they are home, so no weight can be "
                "applied there. "
                "Fix: use weight_at::output, or a dispatcher that returns every copy.");

  // The weights of a copy, where the copy is: the same on every rank of etp.
  using weights = typename parts::entered;

  template <class Rows>
  using scale = sequence<gate_scale<Rows, weights>>;
  template <class... Parts>
  using rows_only = sequence<on_port<0, concat_t<Parts...>>>;

  static consteval auto body() {
    if constexpr (At == weight_at::origin) {
      using rows_home = placement<on<ep_group, bucketed>>;
      using weights_home = placement<on<ep_group, sharded<tokens, as_given>>>;
      return concat_t<
          rows_only<dispatch, typename parts::first, typename parts::activate, typename parts::second, back>,
          sequence<gate_scale<rows_home, weights_home>>, home>{};
    } else if constexpr (At == weight_at::output) {
      return concat_t<sequence<each<dispatch>>,
                      rows_only<typename parts::first, typename parts::activate, typename parts::second>,
                      scale<typename parts::left>, back, home>{};
    } else if constexpr (At == weight_at::activation) {
      return concat_t<sequence<each<dispatch>>, rows_only<typename parts::first, typename parts::activate>,
                      scale<typename parts::narrow>, typename parts::second, back, home>{};
    } else {
      return concat_t<sequence<each<dispatch>>, scale<typename parts::entered>, typename parts::first,
                      typename parts::activate, typename parts::second, back, home>{};
    }
  }
  using type = decltype(body());
};

}  // namespace detail

/// Where the weight goes unless the user says: home where copies return, else on the expert's output.
template <class Dispatcher>
inline constexpr weight_at default_weight_at = Dispatcher::returns_copies ? weight_at::origin : weight_at::output;

/// The layer on the expert grid: tokens as the dispatcher takes them, in and out.
template <router Router, dispatcher Dispatcher, class Expert, weight_at At = default_weight_at<Dispatcher>>
  requires expert<Expert, typename Dispatcher::group, typename Dispatcher::tensor_group>
struct expert_parallel {
  static constexpr fixed_string name = "expert_parallel";
  using weight = placement<>;
  using bias = placement<>;
  using forward = concat_t<sequence<fork<sequence<>, typename Router::route>>,
                           typename detail::moe_body<Dispatcher, Expert, At>::type>;
  using backward = conjugate_t<forward>;
};

/// The same between two grids: each token of the dense grid enters dispatch once.
template <class Layer, class Dense = dense_mesh, class Expert = expert_mesh, class TensorParallel = replicated>
struct on_expert_grid {
  static constexpr fixed_string name = "on_expert_grid";
  using weight = placement<>;
  using bias = placement<>;
  using forward = concat_t<sequence<regrid<Dense, Expert, TensorParallel>>, typename Layer::forward,
                           sequence<regrid_back<Dense, Expert, TensorParallel>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
