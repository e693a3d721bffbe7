// expect-error: \[heddle\.groups\.missing\]
// SPDX-License-Identifier: Apache-2.0
// A layer over a group for which nobody made a communicator.
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/self_communicator.hpp>
#include <heddle/layer/forward.hpp>

using namespace heddle;

#if defined(CONTROL)
using asked = tp;
#else
using asked = ep;
#endif

using groups = mesh_groups<host::self_communicator, tp>;
using backend = host::execution<host::reference_gemm, groups>;

auto run_style(backend& execution, linear<float> const& weights, rows<float const> x) {
  return infer<rowwise<asked>>(execution, weights, activation<float const>{x, 8});
}
