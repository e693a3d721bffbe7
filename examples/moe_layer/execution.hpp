// SPDX-License-Identifier: Apache-2.0
// The one execution type of this program, and the values that the families of policies hand each other.
#pragma once

#include "communicator.hpp"
#include "gemm.hpp"
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/layer/routing.hpp>
#include <heddle/layer/value.hpp>
#include <heddle/mesh/folding.hpp>

namespace probe {

using heddle::edp;
using heddle::ep;
using heddle::etp;
using groups_type = heddle::mesh_groups<communicator, etp, ep, edp, heddle::joint<etp, ep>>;
using execution = heddle::host::execution<gemm, groups_type>;
using step_state = heddle::step_state<>;

template <class T>
using weights_of = heddle::moe_weights<T>;
template <class T>
using gradients_of = heddle::moe_gradients<T>;

// A gradient has the type of what it is the gradient of.
template <class T>
using rows_of = heddle::activation<T const>;  ///< of tokens, or of token copies
template <class T>
using gates_of = heddle::gates<heddle::host_memory, T>;  ///< by (token, slot)
template <class T>
using row_gates_of = heddle::row_gates<heddle::host_memory, T>;  ///< by row

/// What leaves the router.
template <class T>
struct routed {
  rows_of<T> tokens;
  gates_of<T> gates;
};
/// What reaches the experts: the weights are with the rows, or have stayed at the origin.
template <class T>
struct arrived {
  rows_of<T> rows;
  row_gates_of<T> row_gates{};
  gates_of<T> gates{};
};

/// What a rank has to run its part of a step.
template <class T>
struct bench {
  execution& on;
  weights_of<T> const& weights;
  step_state& state;
};

}  // namespace probe
