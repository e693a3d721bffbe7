// SPDX-License-Identifier: Apache-2.0
// How the lanes of a row choose its largest values where each has some of them in registers: lane r of L has those at
// r, r + L, r + 2 L, and so on. Nothing is asked for by a number that is only known at run time.
#pragma once

#include <heddle/cuda/butterfly.hpp>
#include <heddle/kernel/select.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The lanes of one row: `Parts` parts of `Lanes` each, which are a warp of a `Block` or one of the smaller teams that
/// tests have. A part is a `team`; `sync_parts` is for all of them.
template <class Block, int Lanes, int Parts>
struct row_lanes {
  static_assert(kernel::tile_width % Lanes == 0 && (Parts == 1 || Lanes == kernel::tile_width),
                "[heddle.team.parts] lanes divide a warp, and parts are whole warps. Fix: use 32 lanes.");
  Block const& block;

  [[nodiscard]] HEDDLE_HOST_DEVICE int lane() const { return block.thread() % Lanes; }
  [[nodiscard]] HEDDLE_HOST_DEVICE int part() const { return block.thread() / Lanes % Parts; }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t rank() const { return lane(); }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t size() { return Lanes; }
  HEDDLE_HOST_DEVICE void sync() const { block.sync_warp(); }
  HEDDLE_HOST_DEVICE void sync_parts() const {
    if constexpr (Parts > 1) block.sync();
    else block.sync_warp();
  }
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE Value exchange(Value value, int distance) const {
    return block.exchange(value, distance);
  }
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE Value max(Value value) const {
    return block.max(value);
  }
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE Value sum(Value value) const {
    return butterfly<Lanes>(
        value, [this](Value mine, int distance) { return exchange(mine, distance); },
        [](Value a, Value b) { return static_cast<Value>(a + b); });
  }
};

/// The key of nobody: of a place behind the row, or of a value that was taken. It is below that of a NaN.
template <class Key>
inline constexpr Key no_key = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1));
/// A place behind every other.
inline constexpr int nowhere = 0x7fffffff;

/// `kernel::sort_key` with room below it: no number has the key behind that of NaN.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr kernel::sort_key_t<Real> choice_key(Real value) {
  using key_type = kernel::sort_key_t<Real>;
  key_type const key = kernel::sort_key(value);
  return key == no_key<key_type> ? static_cast<key_type>(key + 1) : key;
}

/// chosen(slot, key, place) for the k best of the lanes' keys, largest first, equal ones by place: keys[v] of lane r is
/// at place r + L v. What is taken becomes `no_key`, and so is what is left over when all are taken.
template <class Lanes, class Key, int Values, class Chosen>
HEDDLE_HOST_DEVICE void take_best(Lanes const& lanes, Key (&keys)[Values], int k, Chosen chosen) {
  constexpr int width = static_cast<int>(Lanes::size());
  int const rank = lanes.lane();
  for (int slot = 0; slot < k; ++slot) {
    Key mine = no_key<Key>;
    int where = nowhere;
    for (int v = 0; v < Values; ++v) {
      bool const better = keys[v] > mine;
      mine = better ? keys[v] : mine;
      where = better ? rank + width * v : where;
    }
    Key const best = lanes.max(mine);
    int const place = -lanes.max(mine == best ? -where : -nowhere);
    for (int v = 0; v < Values; ++v) keys[v] = rank + width * v == place ? no_key<Key> : keys[v];
    chosen(slot, best, place);
  }
}

/// The sum over a row of which keys are as above and terms behind the row are 0, with the bits of `kernel::sum_row` on
/// the host: 32 interleaved sums, joined by halves.
template <class Lanes, class Real, int Values>
[[nodiscard]] HEDDLE_HOST_DEVICE Real sum_as_host(Lanes const& lanes, Real const (&terms)[Values]) {
  constexpr int apart = static_cast<int>(kernel::tile_width / Lanes::size());  // of these a lane has so many
  Real sums[apart] = {};
  for (int v = 0; v < Values; ++v) sums[v % apart] += terms[v];
  for (int half = apart / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return lanes.sum(sums[0]);
}

/// How many neighbouring lanes look at one of `groups` groups of `size` values: a power of two.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr int lanes_of_group(int groups, int size, int lanes, int all) {
  int share = 1;
  while (2 * share <= lanes && 2 * share * groups <= all && 2 * share <= size) share *= 2;
  return share;
}

/// The sum of the `most` largest of values[0 .. size), largest first, by `share` neighbouring lanes, each of which gets
/// it. All lanes call it, those that are at no group with size 0.
template <class Lanes, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE Real sum_of_largest(Lanes const& lanes, Real const* values, int size, int most,
                                                     int share) {
  using key = kernel::sort_key_t<Real>;
  int const sub = lanes.lane() % share;
  Real sum{};
  key last_key = no_key<key>;
  int last = -1;
  for (int found = 0; found < most; ++found) {
    key mine = no_key<key>;
    int where = nowhere;
    for (int i = sub; i < size; i += share) {
      key const candidate = choice_key(values[i]);
      bool const taken = found > 0 && (candidate > last_key || (candidate == last_key && i <= last));
      bool const better = !taken && candidate > mine;
      mine = better ? candidate : mine;
      where = better ? i : where;
    }
    for (int distance = share / 2; distance > 0; distance /= 2) {
      key const other = lanes.exchange(mine, distance);
      int const there = lanes.exchange(where, distance);
      bool const better = other > mine || (other == mine && there < where);
      mine = better ? other : mine;
      where = better ? there : where;
    }
    if (where < size) sum += values[where];
    last_key = mine;
    last = where;
  }
  return sum;
}

/// What the lanes of a row write for each other about its groups.
template <class Real>
struct group_room {
  kernel::sort_key_t<Real> worth[kernel::most_groups];
  bool kept[kernel::most_groups];
};

/// room.kept[g] = whether g is one of the `limit.kept` best groups, equal ones by number. All lanes of all parts have
/// written `values`, and a sync stands between; another one is behind.
template <kernel::group_score Score, class Lanes, class Real>
HEDDLE_HOST_DEVICE void keep_groups(Lanes const& lanes, int parts, Real const* values, int experts, int k,
                                    kernel::group_limit limit, group_room<Real>& room) {
  int const groups = static_cast<int>(limit.groups);
  int const size = experts / groups;
  int const most = static_cast<int>(kernel::values_summed<Score>(k, limit));
  int const all = parts * static_cast<int>(Lanes::size());
  int const number = lanes.part() * static_cast<int>(Lanes::size()) + lanes.lane();
  int const share = lanes_of_group(groups, size, static_cast<int>(Lanes::size()), all);
  for (int first = 0; first < groups; first += all / share) {
    int const group = first + number / share;
    bool const there = group < groups;
    Real const worth = sum_of_largest(lanes, values + (there ? group * size : 0), there ? size : 0, most, share);
    if (there && number % share == 0) room.worth[group] = choice_key(worth);
  }
  lanes.sync_parts();
  for (int group = number; group < groups; group += all) {
    auto const own = room.worth[group];
    int better = 0;  // no order among the kept ones is asked for, so a group counts those before it
    for (int other = 0; other < groups; ++other) {
      better += room.worth[other] > own || (room.worth[other] == own && other < group) ? 1 : 0;
    }
    room.kept[group] = better < limit.kept;
  }
  lanes.sync_parts();
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
