// SPDX-License-Identifier: Apache-2.0
// The one execution type of this program, and the values that the families of policies hand each other. Compiled a
// second time, by nvcc and under another name of the namespace, the families run on a GPU: see gpu_job.cu.
#pragma once

#include "communicator.hpp"
#include "gemm.hpp"
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/layer/routing.hpp>
#include <heddle/layer/value.hpp>
#include <heddle/mesh/folding.hpp>
#if defined(PROBE_ON_GPU)
#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/cuda/execution.cuh>
#include <heddle/layer/device_stores.hpp>

#include "gpu_rank.hpp"
#else
#include <heddle/host/execution.hpp>
#endif

namespace probe {

using heddle::edp;
using heddle::ep;
using heddle::etp;
template <class Communicator>
using groups_over = heddle::mesh_groups<Communicator, etp, ep, edp, heddle::joint<etp, ep>>;
#if defined(PROBE_ON_GPU)
using memory = heddle::device_memory;
using execution =
    heddle::cuda::execution<heddle::cuda::cublas_gemm, groups_over<virtual_communicator>, groups_over<communicator>>;
#else
using memory = heddle::host_memory;
using execution = heddle::host::execution<gemm, groups_over<communicator>>;
#endif
using step_state = heddle::step_state<memory>;

template <class T>
using weights_of = heddle::moe_weights<T, memory>;
template <class T>
using gradients_of = heddle::moe_gradients<T, memory>;

// A gradient has the type of what it is the gradient of.
template <class T>
using rows_of = heddle::activation<T const, memory>;  ///< of tokens, or of token copies
template <class T>
using gates_of = heddle::gates<memory, T>;  ///< by (token, slot)
template <class T>
using row_gates_of = heddle::row_gates<memory, T>;  ///< by row

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
