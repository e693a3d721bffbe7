// SPDX-License-Identifier: Apache-2.0
// The group of one rank that has a GPU: it checks and counts as every other communicator does, and copies in the order
// of its queue.
#pragma once

#include <heddle/collective/communicator.hpp>
#include <heddle/collective/self_transport.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/cuda/mover.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

using self_transport = basic_self_transport<mover>;

/// The world of a program with one GPU: `cuda::self_communicator world{cuda::self_transport{queue}};`
using self_communicator = basic_communicator<self_transport>;
static_assert(symmetric_communicator<self_communicator>);

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
