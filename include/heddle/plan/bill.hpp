// SPDX-License-Identifier: Apache-2.0
// The bill of a step: operations, bytes sent in each collective, scratch memory, and the value it is drawn up for.
#pragma once

#include <array>
#include <heddle/collective/traffic.hpp>
#include <heddle/core/type_id.hpp>
#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The sizes of one style, over all ranks. `out` is a linear layer's, the rest a mixture's; where several linear styles
/// make a layer, each has its own bill.
struct layer_shape {
  index_t rows = 0;        ///< tokens this rank brings
  index_t width = 0;       ///< of the hidden axis as this rank brings it
  index_t full_width = 0;  ///< of the hidden axis over all ranks; 0 where this rank has all of it
  index_t out = 0;         ///< out features of a linear layer, hidden width of an embedding
  index_t experts = 0, top_k = 0, ffn = 0;
  index_t element_size = 4;
  index_t sequence_length = 0;  ///< where a router balances over sequences
};

/// One collective of a step.
struct cost_step {
  std::string_view operation;
  std::string_view group;
  type_id group_id = type_id::none;
  index_t bytes_sent = 0;
};

/// The bill of one rank. `activation_bytes` is the sum of all intermediate values, which live until the step ends; ids
/// and counts of a routed step come on top.
struct cost_report {
  static constexpr std::size_t most_steps = 32;
  std::array<cost_step, most_steps> steps{};
  std::size_t count = 0;
  index_t flops = 0;
  index_t activation_bytes = 0;

  /// What a rank hands to other ranks of `Group`, in bytes.
  template <class Group>
  [[nodiscard]] constexpr index_t bytes_sent() const {
    index_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += steps[i].group_id == id_of<Group> ? steps[i].bytes_sent : 0;
    return sum;
  }
  /// What a rank hands to other ranks in all groups, in bytes.
  [[nodiscard]] constexpr index_t bytes_sent() const {
    index_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += steps[i].bytes_sent;
    return sum;
  }
};

namespace detail {

/// A value on its way: what a rank has of it. Ranks of a group are taken to bring equally many rows, and experts to be
/// chosen equally often; everything else is exact.
struct priced_value {
  index_t rows = 0, width = 0, full_width = 0, element_size = 4;
  bool gates = false;  ///< routing weights, whose ids travel with them until they are in row order
  [[nodiscard]] constexpr index_t bytes() const { return rows * width * element_size; }
};

template <class Grid>
struct pricing {
  Grid grid;
  int rank;
  layer_shape shape;
  cost_report report{};
  std::array<type_id, 8> counted{};  ///< groups whose row counts have been exchanged
  index_t outer_rows = 0;            ///< rows before the split of a regrid
  index_t chunks = 0;                ///< chunks that arrived by all_to_all
  bool chunks_known = false;         ///< to the ranks of the tensor group
  bool copies = false;               ///< rows are copies of tokens
  index_t sent_rows = 0;             ///< rows before they left by all_to_all
  index_t token_rows = 0;            ///< rows before `select_local` took this rank's copies

  template <class Group>
  [[nodiscard]] constexpr int size() const {
    return grid.template size<Group>();
  }
  template <class Group>
  [[nodiscard]] constexpr int index() const {
    return grid.template coordinate<Group>(rank);
  }
  template <class Operation, class Group>
  constexpr void send(index_t bytes) {
    if (report.count == cost_report::most_steps) {
      throw error(error_kind::unsupported,
                  "a bill has room for " + std::to_string(cost_report::most_steps) + " collectives",
                  "draw up bills for parts of the layer");
    }
    report.steps[report.count++] = {Operation::name.view(), Group::name.view(), id_of<Group>, bytes};
  }
  constexpr void keep(priced_value const& value) { report.activation_bytes += value.bytes(); }
  /// The first time a group gathers rows of unknown count its ranks tell each other: one number, or behind an
  /// all_to_all the rows of every (source, expert) chunk.
  template <class Group>
  constexpr index_t count_exchange() {
    if (copies && chunks > 0) {
      index_t const bytes = chunks_known ? 0 : all_gather_bytes(chunks, sizeof(index_t), size<Group>());
      chunks_known = true;
      return bytes;
    }
    for (type_id& known : counted) {
      if (known == id_of<Group>) return 0;
      if (known != type_id::none) continue;
      known = id_of<Group>;
      return all_gather_bytes(1, sizeof(index_t), size<Group>());
    }
    return 0;
  }
  /// A router begins a new routing: what was known of the one before is no more.
  constexpr void begin_routing() {
    chunks = 0;
    chunks_known = copies = false;
  }
};

template <class Axis, class Entry>
struct owned_axis {
  template <class Pricing>
  static constexpr index_t of(Pricing const&, index_t total) {
    return total;
  }
};
template <class Axis, class Group, class Partition>
struct owned_axis<Axis, on<Group, sharded<Axis, Partition>>> {
  template <class Pricing>
  static constexpr index_t of(Pricing const& p, index_t total) {
    return size_of_part<Partition>(total, p.template size<Group>(), p.template index<Group>());
  }
};
/// How much of an axis of a parameter this rank owns.
template <class Axis, class Pricing, class... Entries>
constexpr index_t owned(placement<Entries...>, Pricing const& p, index_t total) {
  ((total = owned_axis<Axis, Entries>::of(p, total)), ...);
  return total;
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
