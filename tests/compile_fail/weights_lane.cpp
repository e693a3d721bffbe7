// expect-error: \[heddle\.weights\.lane\] the weight pass of parameters that are shared out ends in a reduce_scatter
// SPDX-License-Identifier: Apache-2.0
// The weight pass of shared parameters where nobody can be reached; beside a lane with communicators of its own it
// runs.
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/lane.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/self_communicator.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/fsdp.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/style/fsdp.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

using style = fsdp<replicated_linear, dp>;
using groups_type = mesh_groups<host::self_communicator, dp>;
using rank_execution = host::execution<host::reference_gemm, groups_type>;

#if defined(CONTROL)
using lane_execution = rank_execution;
#else
using lane_execution = std::remove_cvref_t<decltype(std::declval<host::lane<host::reference_gemm>&>().execution())>;
#endif

void step(rank_execution& main, lane_execution& lane, linear<float> const& weights, linear_gradient<float> const& sums,
          rows<float const> x) {
  auto const [y, saved] = forward<style>(main, weights, x);
  auto const [dx, pending] = backward_data<style>(main, weights, saved, borrow(y));
  backward_weights<style>(lane, weights, saved, pending, sums);
}
