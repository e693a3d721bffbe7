// SPDX-License-Identifier: Apache-2.0
// The group of one rank. It checks its arguments and counts its calls as every other communicator does, and copies.
#pragma once

#include <heddle/collective/communicator.hpp>
#include <heddle/collective/self_transport.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/host/mover.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace host {

using self_transport = basic_self_transport<mover>;

/// The world of a program that has one rank: `host::self_communicator world;`
using self_communicator = basic_communicator<self_transport>;
static_assert(symmetric_communicator<self_communicator>);

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
