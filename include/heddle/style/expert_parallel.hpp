// SPDX-License-Identifier: Apache-2.0
// A whole mixture-of-experts layer from three policies, in four stages: route, dispatch, experts, combine, with the
// gate scale at one of four points. Combine is never written: it is the conjugate of dispatch.
#pragma once

#include <heddle/collective/regrid.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/concepts/expert.hpp>
#include <heddle/concepts/router.hpp>
#include <heddle/sequence/combinators.hpp>
#include <heddle/style/expert_body.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The first stage: tokens, and the routing weights that the router gives them.
template <router Router>
struct route_stage {
  static constexpr fixed_string name = "route";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<fork<sequence<>, typename Router::route>>;
  using backward = conjugate_t<forward>;
};

/// The second: tokens become rows at their experts, and weights go with them unless they are applied at the origin.
template <dispatcher Dispatcher, weight_at At>
struct dispatch_stage {
  static constexpr fixed_string name = "dispatch";
  using weight = placement<>;
  using bias = placement<>;
  using forward = std::conditional_t<
      At == weight_at::origin,
      concat_t<detail::on_both_t<typename Dispatcher::bring>,
               sequence<on_port<0, concat_t<typename Dispatcher::order, typename Dispatcher::move>>>>,
      sequence<each<concat_t<typename Dispatcher::bring, typename Dispatcher::order, typename Dispatcher::move>>>>;
  using backward = conjugate_t<forward>;
};

/// The third: rows in expert order, with their weights where those are applied here, through the experts.
template <class Expert, weight_at At, class ExpertParallel = ep, class ExpertTensor = etp>
  requires expert<Expert, ExpertParallel, ExpertTensor>
struct expert_stage {
  static constexpr fixed_string name = "experts";
  using weight = placement<>;
  using bias = placement<>;
  using forward =
      typename detail::expert_body<typename Expert::template on_groups<ExpertParallel, ExpertTensor>, At>::type;
  using backward = conjugate_t<forward>;
};

/// The last: rows go home, and the copies of a token are summed.
template <dispatcher Dispatcher, weight_at At>
struct combine_stage {
  static constexpr fixed_string name = "combine";
  using weight = placement<>;
  using bias = placement<>;
  using back = conjugate_t<typename Dispatcher::move>;
  using home = concat_t<conjugate_t<typename Dispatcher::order>, conjugate_t<typename Dispatcher::bring>>;
  using forward = std::conditional_t<
      At == weight_at::origin,
      concat_t<detail::on_first_t<back>,
               sequence<gate_scale<typename Dispatcher::copies_home, typename Dispatcher::weights_home>>, home>,
      concat_t<back, home>>;
  using backward = conjugate_t<forward>;
};

/// Where the weight goes unless the user says: home where copies return, else on the expert's output.
template <class Dispatcher>
inline constexpr weight_at default_weight_at = Dispatcher::returns_copies ? weight_at::origin : weight_at::output;

/// The layer on the expert grid: tokens as the dispatcher takes them, in and out. Its four stages can also be run one
/// by one.
template <router Router, dispatcher Dispatcher, class Expert, weight_at At = default_weight_at<Dispatcher>>
  requires expert<Expert, typename Dispatcher::group, typename Dispatcher::tensor_group>
struct expert_parallel {
  static constexpr fixed_string name = "expert_parallel";
  using weight = placement<>;
  using bias = placement<>;
  using experts_body =
      typename expert_stage<Expert, At, typename Dispatcher::group, typename Dispatcher::tensor_group>::forward;
  /// The same beside weights that wait at home.
  using experts_part = std::conditional_t<At == weight_at::origin, sequence<on_port<0, experts_body>>, experts_body>;
  using forward = concat_t<typename route_stage<Router>::forward, typename dispatch_stage<Dispatcher, At>::forward,
                           experts_part, typename combine_stage<Dispatcher, At>::forward>;
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
