// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts layer of which the last experts have no weights and return their input (LongCat-Flash). The
// router chooses among all; what goes to those stays at home.
#pragma once

#include <heddle/compute/identity_experts.hpp>
#include <heddle/sequence/leading.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace heddle::inline HEDDLE_ABI {

/// As `expert_parallel`. The router has a row for every expert, `fc1.full_experts` says how many have weights: the ids
/// from there on are identity experts.
template <router Router, dispatcher Dispatcher, class Expert, weight_at At = default_weight_at<Dispatcher>>
  requires expert<Expert, typename Dispatcher::group, typename Dispatcher::tensor_group>
struct with_identity_experts {
  static constexpr fixed_string name = "with_identity_experts";
  using weight = placement<>;
  using bias = placement<>;
  /// Dispatch, experts and combine: tokens and weights in, tokens out.
  using real_experts = concat_t<typename dispatch_stage<Dispatcher, At>::forward,
                                typename expert_parallel<Router, Dispatcher, Expert, At>::experts_part,
                                typename combine_stage<Dispatcher, At>::forward>;
  using forward = concat_t<typename route_stage<Router>::forward,
                           sequence<identity_experts<>, leading<2, 1, real_experts>, join<sequence<>, sequence<>>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
