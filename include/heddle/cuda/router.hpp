// SPDX-License-Identifier: Apache-2.0
// A router in one kernel: scores, bias, limit on groups, the k best, weights, and how many chose each expert. The lanes
// of a token have its values in registers; what they choose and weigh has the bits of `kernel::route`.
#pragma once

#include <heddle/cuda/grid.hpp>
#include <heddle/cuda/router_room.hpp>
#include <heddle/kernel/route.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// `Route` is a `kernel::route`, whose arguments it takes; counts [E], zero before, or empty, receives how often each
/// expert stands in the ids. `Experts` and `TopK` are the numbers of the views where they are known at compile time,
/// else 0. It runs on blocks of `threads` threads with `shared_bytes` bytes, any number of them.
template <class Route, int Lanes, int Parts, int Values, int Experts = 0, int TopK = 0>
struct router {
  using rule = typename Route::rule;
  using real = typename Route::real;
  using memory = typename Route::memory;
  static constexpr router_shape shape{.lanes = Lanes, .parts = Parts, .values = Values};
  static constexpr int threads = shape.threads();
  static constexpr int teams = shape.teams();
  static constexpr bool grouped = rule::groups != kernel::group_score::none;
  static constexpr bool of_softmax = rule::by_score && rule::score::over_row;  ///< a softmax over all is compared
  using room = router_room<real, shape.bound(), Parts, grouped>;

  Route route;
  per_row<index_t, memory> counts{};

  /// What a block needs for so many experts.
  [[nodiscard]] static constexpr index_t shared_bytes(index_t experts) {
    return static_cast<index_t>(sizeof(room)) * shape.teams() + experts * static_cast<index_t>(sizeof(std::int32_t));
  }

  template <class Block>
  HEDDLE_HOST_DEVICE void operator()(Block const& block) const {
    int const experts = Experts > 0 ? Experts : static_cast<int>(route.logits.row_size());
    int const team = block.thread() / (Lanes * Parts);
    room& own = reinterpret_cast<room*>(block.shared())[team];
    auto* const chose = reinterpret_cast<std::int32_t*>(block.shared() + sizeof(room) * teams);
    for (int e = block.thread(); e < experts; e += threads) chose[e] = 0;
    block.sync();
    row_lanes<Block, Lanes, Parts> const lanes{block};
    each_row(route.ids.shape()[0], block.number() * teams + team, block.blocks() * teams, [&](index_t row) {
      take_row(lanes, own, experts, row);
      if (lanes.part() == 0) {
        for (int slot = lanes.lane(); slot < slots(); slot += Lanes) {
          if (own.ids[slot] >= 0) block.add(chose + own.ids[slot], std::int32_t{1});
        }
      }
      lanes.sync_parts();  // before any lane writes for the next row
    });
    block.sync();
    if (counts.data() == nullptr) return;
    for (int e = block.thread(); e < experts; e += threads) {
      if (chose[e] > 0) block.add(counts.data() + e, index_t{chose[e]});
    }
  }

 private:
  [[nodiscard]] HEDDLE_HOST_DEVICE int slots() const {
    return TopK > 0 ? TopK : static_cast<int>(route.ids.row_size());
  }

  /// The ids of a row, into the room, and the ids and weights of the result.
  template <class Team>
  HEDDLE_HOST_DEVICE void take_row(Team const& lanes, room& own, int experts, index_t row) const {
    real const* const x = route.logits.row(row);
    bool const absent = route.padding.data() != nullptr && route.padding(row);
    real values[Values];
    for (int v = 0; v < Values; ++v) {
      int const i = place_of<Values>(lanes, v);
      values[v] = i < experts ? x[i] : static_cast<real>(-__builtin_inf());
    }
    kernel::softmax_term<real> probability{};
    bool const wanted = route.scores.data() != nullptr;
    if (of_softmax || wanted) {
      real terms[Values];
      probability = softmax_of_lanes<Parts>(lanes, own, values, experts, terms);
      for (int v = 0; v < Values; ++v) {
        int const i = place_of<Values>(lanes, v);
        if (wanted && i < experts) route.scores.row(row)[i] = terms[v];
        if constexpr (of_softmax) values[v] = terms[v];
      }
    }
    if (absent) {
      if (lanes.part() == 0) {
        for (int slot = lanes.lane(); slot < slots(); slot += Lanes) own.ids[slot] = -1;
      }
    } else {
      if constexpr (rule::by_score && !of_softmax) {
        auto const score = rule::score::of_row(serial_team{}, index_t{0}, x);
        for (int v = 0; v < Values; ++v) values[v] = score(values[v]);
      }
      choose(lanes, own, values, experts);
    }
    if (lanes.part() != 0) return;
    lanes.sync();
    for (int slot = lanes.lane(); slot < slots(); slot += Lanes) route.ids(row, slot) = own.ids[slot];
    store(lanes, own, x, row, probability);
  }

  /// own.ids = who has the largest values, with the bias.
  template <class Team>
  HEDDLE_HOST_DEVICE void choose(Team const& lanes, room& own, real (&values)[Values], int experts) const {
    using key = kernel::sort_key_t<real>;
    key keys[Values];
    for (int v = 0; v < Values; ++v) {
      int const i = place_of<Values>(lanes, v);
      if (route.bias.data() != nullptr && i < experts) values[v] = values[v] + route.bias.data()[i];
      keys[v] = i < experts ? choice_key(values[v]) : no_key<key>;
    }
    if constexpr (grouped) {
      if (route.limit.groups > route.limit.kept) {
        for (int v = 0; v < Values; ++v) own.values[place_of<Values>(lanes, v)] = values[v];
        lanes.sync_parts();
        keep_groups<rule::groups>(lanes, Parts, own.values, experts, slots(), route.limit, own.groups);
        int const size = experts / static_cast<int>(route.limit.groups);
        constexpr key out = choice_key(static_cast<real>(-__builtin_inf()));
        for (int v = 0; v < Values; ++v) {
          int const i = place_of<Values>(lanes, v);
          if (i < experts && !own.groups.kept[i / size]) keys[v] = out;
        }
      }
    }
    if constexpr (Parts == 1) {
      take_best(lanes, keys, slots(), [&](int slot, key, int where) {
        if (lanes.lane() == 0) own.ids[slot] = where;
      });
    } else {
      choose_of_parts(lanes, own, keys);
    }
  }

  /// Every part has its own best; one of them takes the best of these. Equal keys stand in the order of their places.
  template <class Team, class Key>
  HEDDLE_HOST_DEVICE void choose_of_parts(Team const& lanes, room& own, Key (&keys)[Values]) const {
    constexpr int room_of_part = static_cast<int>(kernel::most_slots);
    take_best(lanes, keys, slots(), [&](int slot, Key best, int where) {
      if (lanes.lane() != 0) return;
      own.keys[lanes.part() * room_of_part + slot] = best;
      own.places[lanes.part() * room_of_part + slot] = best == no_key<Key> ? 0 : place_of<Values>(lanes, 0) + where;
    });
    lanes.sync_parts();
    if (lanes.part() != 0) return;
    Key best[Parts];
    for (int part = 0; part < Parts; ++part) {
      best[part] = lanes.lane() < slots() ? own.keys[part * room_of_part + lanes.lane()] : no_key<Key>;
    }
    take_best(lanes, best, slots(), [&](int slot, Key, int where) {
      if (lanes.lane() == 0) own.ids[slot] = own.places[where];
    });
  }

  /// The weights of the ids in the room.
  template <class Team>
  HEDDLE_HOST_DEVICE void store(Team const& lanes, room const& own, real const* x, index_t row,
                                kernel::softmax_term<real> probability) const {
    typename Route::weighing const out{
        .logits = route.logits, .ids = route.ids, .weights = route.weights, .factor = route.factor};
    if constexpr (rule::over_selected || !rule::score::over_row) {
      out.store(lanes, row, kernel::weigh_row<rule>(lanes, index_t{0}, x, own.ids, slots()));
    } else {
      out.store(lanes, row, kernel::weigh_scored<rule>(probability, x, own.ids, slots()));
    }
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
