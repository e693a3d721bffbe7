// SPDX-License-Identifier: Apache-2.0
// What a user can set about ranks that are processes, and how a job says at its end what went wrong.
#pragma once

#include <chrono>
#include <heddle/collective/statements.hpp>
#include <heddle/core/error.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// A deadline that never comes. Waiting without end must be asked for by this name.
inline constexpr std::chrono::nanoseconds no_deadline = std::chrono::nanoseconds::max();

/// See there. A comparison costs one small message to each peer.
using heddle::check_mode;
using heddle::default_check;

/// How `put` reaches the memory of a peer: by plain stores where all ranks of the group share a node and by MPI_Put
/// elsewhere, or by MPI_Put always.
///
/// Groups that span nodes, with several ranks on one of them, must not make windows at the same time as groups with
/// other members under Open MPI 4 with its component osc/rdma: it lets them share a file. Open MPI 5.0, or another
/// component (`--mca osc ucx` or `pt2pt`), does not. On one node nothing of the kind is used.
enum class put_mode { automatic, always_mpi };

/// What `run` is told about its ranks.
struct options {
  /// How long a rank waits in one collective, and at the end of `run` for the others to finish.
  std::chrono::nanoseconds deadline = std::chrono::seconds{60};
  check_mode check = default_check;  ///< on in builds without NDEBUG
  put_mode put = put_mode::automatic;
};

/// The exit codes of a job.
enum exit_code : int {
  exit_agreed = 1,     ///< every rank knew of the error before data moved: one line, a clean end
  exit_timeout = 75,   ///< a rank did not come in time
  exit_mismatch = 76,  ///< ranks disagreed about a collective
  exit_peer = 77,      ///< a rank threw, or left while others needed it
};

/// The exit code of a job that an error of this kind ends while others may be waiting.
[[nodiscard]] constexpr exit_code exit_code_of(error_kind kind) {
  if (kind == error_kind::timeout) return exit_timeout;
  if (kind == error_kind::mismatch) return exit_mismatch;
  return exit_peer;
}

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
