// SPDX-License-Identifier: Apache-2.0
// The styles of replicated norm weights: what differs is only what the ranks hold, and so which sum their gradient
// needs.
#pragma once

#include <heddle/compute/norm.hpp>
#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A norm whose weight every rank holds whole, on rows that lie as `At` says; no collective in the forward pass.
template <fixed_string Name, class At>
struct norm_style {
  static constexpr auto name = Name;
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<normalise<At>>;
  using backward = conjugate_t<forward>;
};

/// Whole activations everywhere.
using replicated_norm = norm_style<"replicated", placement<>>;

/// Activations stay sharded on the token axis: no traffic, and the weight's gradient is a sum over the group.
template <class Group>
struct sequence_parallel : norm_style<"sequence_parallel", placement<on<Group, sharded<tokens>>>> {
  using group = Group;
};

/// One weight for every head while heads are sharded (q_norm and k_norm between colwise and rowwise): no traffic, and
/// the weight's gradient is a sum over the group, taken once a step.
template <class Group>
struct replicated_with_grad_allreduce
    : norm_style<"replicated_with_grad_allreduce", placement<on<Group, sharded<hidden>>>> {
  using group = Group;
};

}  // namespace heddle::inline HEDDLE_ABI
