// SPDX-License-Identifier: Apache-2.0
// A rank that kernels have waited for in vain, as the typed error that names it.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/kernel/flags.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Throws `timeout` where kernels that wait `milliseconds` have written a peer into `late`, which names who waits for
/// whom and for what. It looks at what has been written by now: who wants to know of all kernels waits for them first.
inline void check_late(kernel::late_peer const& late, std::uint64_t milliseconds) {
  auto const* const watched = static_cast<kernel::late_peer const volatile*>(&late);  // a GPU writes it
  std::uint64_t const stage = watched->stage;
  if (stage == 0) return;
  int const waiting = static_cast<int>(watched->waiting), awaited = static_cast<int>(watched->awaited);
  auto const meeting = static_cast<long>(watched->meeting);
  bool const read = stage == static_cast<std::uint64_t>(kernel::store_stage::read);
  throw error(error_kind::timeout,
              "rank " + std::to_string(waiting) + " has waited " + std::to_string(milliseconds) + " ms for rank " +
                  std::to_string(awaited) +
                  (read ? " to have read what was stored before" : " to have stored its rows"),
              "look at that rank first; what kernels computed since is nothing", waiting)
      .blames(awaited, read ? "symmetric" : "fence", meeting);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
