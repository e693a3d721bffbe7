// SPDX-License-Identifier: Apache-2.0
// Runs a row kernel on the host: a team of one lane a row, runs of rows shared among threads.
#pragma once

#include <heddle/host/parallel.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// kernel(serial_team, row) for every row < count. Below `rows_for_threads` rows a thread costs more than it brings.
template <class Kernel>
void launch_rows(Kernel const& kernel, index_t count, int threads) {
  constexpr index_t rows_for_threads = 32;
  index_t const runs =
      threads > 1 && count >= rows_for_threads ? (count / 4 < threads ? count : index_t{4} * threads) : 1;
  auto const run = [&](index_t i, int) {
    for (index_t row = count * i / runs; row < count * (i + 1) / runs; ++row) kernel(serial_team{}, row);
  };
  if (runs == 1) run(0, 0);
  else parallel_for(threads, runs, run);
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
