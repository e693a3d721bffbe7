// SPDX-License-Identifier: Apache-2.0
// Keeps the choices of this rank's experts: id -1 and weight 0 for the others, same shape.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group>
struct mask_routing;
template <class Group>
struct mask_routing_grad;

/// Routing weights [tokens, slots] to the same shape; only choices of experts that live on this rank survive.
template <class Group>
struct mask_routing : operation_base<"mask", placement<on<Group, varying>>, placement<on<Group, varying>>,
                                     mask_routing_grad<Group>, Group> {
  static constexpr keep keeps = keep::outputs;
};

/// The gradient of a masked weight is zero; the sum over ranks is whole again behind the all_reduce.
template <class Group>
struct mask_routing_grad : operation_base<"mask_grad", placement<on<Group, partial>>, placement<on<Group, partial>>,
                                          mask_routing<Group>, Group> {};

}  // namespace heddle::inline HEDDLE_ABI
