// SPDX-License-Identifier: Apache-2.0
// How a process ends a job that cannot go on. MPI-3 has no way back from a collective that not all ranks enter, so a
// rank that sees this says one line and takes all processes down.
#pragma once

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <heddle/core/error.hpp>
#include <heddle/mpi/options.hpp>
#include <string>
#include <string_view>
#include <thread>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// One line on stderr, in one write, so that lines of several ranks do not mix. It takes no memory: it may be what is
/// missing. What is longer than a page is cut.
inline void say(std::string_view line) {
  char page[4096];
  std::size_t size = 0;
  for (; size < line.size() && size < sizeof page - 1; ++size) page[size] = line[size] == '\n' ? ' ' : line[size];
  page[size] = '\n';
  std::fwrite(page, 1, size + 1, stderr);
  std::fflush(stderr);
}

/// Says `line` and ends every process of the job with `code`. Where all ranks see the same failure, they get a moment
/// to say their own line before the first one ends them.
[[noreturn]] inline void abort_job(std::string_view line, exit_code code) {
  say(line);
  if (code != exit_peer) std::this_thread::sleep_for(std::chrono::milliseconds{150});
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}
[[noreturn]] inline void abort_job(error const& problem) { abort_job(problem.what(), exit_code_of(problem.kind())); }

/// What MPI itself refuses ends the job: buffers may be in flight. A message longer than its receiver expects is a
/// disagreement about counts.
inline void require(int status, char const* call, int rank) {
  if (status == MPI_SUCCESS) return;
  int kind = MPI_ERR_OTHER;
  int length = 0;
  char text[MPI_MAX_ERROR_STRING + 1] = {};
  MPI_Error_class(status, &kind);
  MPI_Error_string(status, text, &length);
  bool const truncated = kind == MPI_ERR_TRUNCATE;
  abort_job(error(truncated ? error_kind::mismatch : error_kind::peer_failed, std::string{call} + " failed: " + text,
                  truncated ? "run with check_mode::on to see which counts differ" : "", rank));
}

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
