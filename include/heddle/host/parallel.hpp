// SPDX-License-Identifier: Apache-2.0
// Threads inside one rank. The number of threads is the caller's; without OpenMP everything runs on the calling thread.
#pragma once

#include <exception>
#include <heddle/tensor/extents.hpp>
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// task(i, thread) for every i < count, each once, `thread` below `threads`. Which thread runs a task is not fixed, so
/// a task writes what depends on i alone. The first exception is thrown again on the calling thread when all have
/// stopped. A task finds itself alone to any library that asks OpenMP how many threads it may use.
template <class Task>
void parallel_for(int threads, index_t count, Task&& task) {
#if defined(_OPENMP)
  std::exception_ptr failure;
  int const wanted = static_cast<int>(threads < count ? threads : count);
#pragma omp parallel num_threads(wanted > 1 ? wanted : 1)
  {
    omp_set_num_threads(1);  // of this region's own tasks: the setting ends with the region
    int const thread = omp_get_thread_num();
#pragma omp for schedule(dynamic)
    for (index_t i = 0; i < count; ++i) {
      try {
        task(i, thread);
      } catch (...) {
#pragma omp critical(heddle_parallel_for)
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
#else
  static_cast<void>(threads);
  for (index_t i = 0; i < count; ++i) task(i, 0);
#endif
}

/// Runs body() where OpenMP offers `threads` threads to the libraries it calls; the caller's own setting comes back.
template <class Body>
void with_threads(int threads, Body&& body) {
#if defined(_OPENMP)
  struct setting {
    int before = omp_get_max_threads();
    ~setting() { omp_set_num_threads(before); }
  } const restored;
  omp_set_num_threads(threads > 1 ? threads : 1);
#else
  static_cast<void>(threads);
#endif
  body();
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
