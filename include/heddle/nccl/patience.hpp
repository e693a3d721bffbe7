// SPDX-License-Identifier: Apache-2.0
// The one way in which this backend waits: it looks, and looks again, until it is done or the deadline has passed.
#pragma once

#include <chrono>
#include <heddle/nccl/options.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// Calls `look()` until it says that there is nothing left to wait for; false where `deadline` passes before. There is
/// one look at least, and none after the deadline. `calls` has the clock and the pause between two looks.
template <class Calls, class Look>
[[nodiscard]] bool in_time(Calls& calls, std::chrono::nanoseconds deadline, Look look) {
  auto const begun = calls.now();
  while (!look()) {
    auto const waited = calls.now() - begun;
    if (deadline != no_deadline && waited > deadline) return false;
    calls.pause(waited);
  }
  return true;
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
