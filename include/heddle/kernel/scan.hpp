// SPDX-License-Identifier: Apache-2.0
// Sums of all that lies before, by one team: every lane adds up a stretch, and begins it behind the stretches before.
#pragma once

#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// sums[i] = value(0) + ... + value(i - 1) for i < count; every lane gets the sum of all, and may read what the others
/// have written. value(i) is asked for twice, and does not read `sums`.
template <team Team, class Value>
HEDDLE_HOST_DEVICE index_t scan_row(Team const& team, index_t count, index_t* sums, Value value) {
  index_t const stretch = (count + team.size() - 1) / team.size();
  auto const begin_of = [stretch, count](index_t lane) { return lane * stretch < count ? lane * stretch : count; };
  index_t const begin = begin_of(team.rank()), end = begin_of(team.rank() + 1);
  index_t own = 0;
  for (index_t i = begin; i < end; ++i) own += value(i);
  if (begin < end) sums[begin] = own;  // for a moment
  team.sync();
  index_t before = 0, all = 0;
  for (index_t lane = 0; lane < team.size() && begin_of(lane) < count; ++lane) {
    if (lane == team.rank()) before = all;
    all += sums[begin_of(lane)];
  }
  team.sync();  // everybody has read it
  for (index_t i = begin; i < end; ++i) {
    sums[i] = before;
    before += value(i);
  }
  team.sync();
  return all;
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
