// expect-error: \[heddle\.groups\.missing\] .* Fix: add the group to mesh_groups
// SPDX-License-Identifier: Apache-2.0
// A communicator nobody made.
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/self_communicator.hpp>

using namespace heddle;

#if defined(CONTROL)
using asked = tp;
#else
using asked = ep;
#endif

int ranks(mesh_groups<host::self_communicator, tp, dp>& groups) { return groups.get<asked>().size(); }
