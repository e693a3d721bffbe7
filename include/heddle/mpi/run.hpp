// SPDX-License-Identifier: Apache-2.0
// The life of an MPI program: start, work, and one of three ends.
#pragma once

#include <mpi.h>

#include <cstdio>
#include <exception>
#include <heddle/mpi/communicator.hpp>
#include <memory>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// Starts MPI unless the caller has, runs `function(world)` on this rank and returns the exit code of the process:
/// what `function` returns, 0 if that is nothing. MPI ends with it if it began with it.
///
/// Where `function` throws, the process says one line on stderr. If the error was agreed over the whole world (see
/// `communicator::agree`), only the culprit says it and every rank ends in good order with code 1. Otherwise the job is
/// ended for all ranks: code 75 for a timeout, 76 for a mismatch, 77 for everything else.
template <class Sum = ordered_sum, class Function>
int run(int& argc, char**& argv, options const& settings, Function&& function) {
  int begun = 0;
  MPI_Initialized(&begun);
  if (begun == 0) {
    int provided = MPI_THREAD_SINGLE;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    if (provided < MPI_THREAD_FUNNELED) abort_job("heddle: this MPI cannot run beside other threads", exit_peer);
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int code = 0;
  {
    auto const shared = std::make_shared<job>(MPI_COMM_WORLD, settings);
    auto const fail = [&](char const* line, exit_code otherwise) {
      if (shared->agreed_culprit < 0) abort_job(line, otherwise);
      if (shared->agreed_culprit == shared->rank()) say(line);
      code = exit_agreed;
    };
    try {
      communicator<Sum> world{transport<Sum>{shared}};
      if constexpr (std::is_void_v<std::invoke_result_t<Function&, communicator<Sum>&>>) function(world);
      else code = function(world);
    } catch (error const& problem) {
      fail(problem.what(), exit_code_of(problem.kind()));
    } catch (std::exception const& problem) {
      char line[2048];
      std::snprintf(line, sizeof line, "heddle: rank %d failed: %s", shared->rank(), problem.what());
      fail(line, exit_peer);
    } catch (...) {
      char line[100];
      std::snprintf(line, sizeof line, "heddle: rank %d failed for a reason that is not a std::exception",
                    shared->rank());
      fail(line, exit_peer);
    }
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized != 0) return code;
    shared->finish();
  }
  if (begun == 0) MPI_Finalize();
  return code;
}

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
