// SPDX-License-Identifier: Apache-2.0
// Where groups of rows begin that only a kernel has counted, each rounded up to a multiple.
#pragma once

#include <heddle/core/spans.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// sizes[g] = counts[g] rounded up to a multiple of `multiple`, begins[g] = the sum of the sizes before it, and of all
/// of them at G. counts and sizes [G], which may be the same memory; begins [G + 1]. It is launched over one row.
template <class Memory = host_memory>
struct align_groups {
  per_row<index_t const, Memory> counts;
  index_t multiple = 1;
  per_row<index_t, Memory> sizes;
  per_row<index_t, Memory> begins;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    // Every lane sums up a run of groups, and all tell each other their sums.
    index_t const groups = counts.count();
    index_t const run = (groups + team.size() - 1) / team.size();
    index_t const first = team.rank() * run < groups ? team.rank() * run : groups;
    index_t const last = first + run < groups ? first + run : groups;
    index_t own = 0;
    for (index_t g = first; g < last; ++g) {
      index_t const size = detail::rounded_up(counts(g), multiple);
      sizes(g) = size;
      own += size;
    }
    index_t begin = 0, all = 0;
    for (index_t lane = 0; lane < team.size(); ++lane) {
      index_t const theirs = team.sum(lane == team.rank() ? own : index_t{0});
      if (lane < team.rank()) begin += theirs;
      all += theirs;
    }
    for (index_t g = first; g < last; ++g) {
      begins(g) = begin;
      begin += sizes(g);
    }
    if (team.rank() == 0) begins(groups) = all;
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
