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
  index_t sinkhorn_rounds = 0;  ///< of a scaling that ranks do together
  index_t capacity = 0;         ///< rows that a rank gives every expert where it pads to capacity
  index_t identity = 0;         ///< of the experts: those that return their input
  index_t shared = 0;           ///< ffn of the shared expert
  index_t vocab = 0;            ///< words of an embedding whose table is shared out
  bool biases = false;          ///< whether linear layers have theirs, where parameters are shared out
};

/// One collective of a step.
struct cost_step {
  std::string_view operation;
  std::string_view group;
  type_id group_id = type_id::none;
  index_t bytes_sent = 0;
  bool about = false;  ///< the bytes suppose that experts are chosen equally often
};

/// The bill of one rank. `flops` counts the additions and multiplications of matrix products; `activation_bytes` is the
/// sum of all intermediate values, which live until the step ends; ids and counts of a routed step come on top.
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

/// Bytes of what sums run in, and routing weights: f32, or f64 beside f64.
[[nodiscard]] constexpr index_t sum_size(index_t element_size) {
  return element_size > static_cast<index_t>(sizeof(float)) ? element_size : static_cast<index_t>(sizeof(float));
}

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
  index_t token_rows = 0;            ///< rows before tokens became copies
  index_t arrived_rows = 0;          ///< rows before the dispatcher left gaps between experts
  index_t packed_rows = 0;           ///< rows before the experts did
  bool halves = false;               ///< the next product has gate and up columns
  bool back = false;                 ///< this is the backward pass: ranks know all counts, ...
  priced_value before{};             ///< ... and this is what the operation had taken forward
  static constexpr bool tapes = false;

  template <class Group>
  [[nodiscard]] constexpr int size() const {
    return grid.template size<Group>();
  }
  template <class Group>
  [[nodiscard]] constexpr int index() const {
    return grid.template coordinate<Group>(rank);
  }
  /// Copies of tokens are as many as the routing makes them; so are tokens that are sent once a rank.
  template <class Operation, class Group>
  constexpr void send(index_t bytes, bool as_routed = false) {
    send_as<Group>(Operation::name.view(), bytes, as_routed || copies);
  }
  template <class Group>
  constexpr void send_as(std::string_view operation, index_t bytes, bool about) {
    if (report.count == cost_report::most_steps) {
      throw error(error_kind::unsupported,
                  "a bill has room for " + std::to_string(cost_report::most_steps) + " collectives",
                  "draw up bills for parts of the layer");
    }
    report.steps[report.count++] = {operation, Group::name.view(), id_of<Group>, bytes, about};
  }
  constexpr void keep(priced_value const& value) { report.activation_bytes += value.bytes(); }
  /// An operation has met its parameter. What parameters cost by themselves, see price_shares.hpp.
  template <class Operation>
  constexpr void meet(priced_value const&, priced_value const&) {}
  /// What ranks tell each other before they move rows.
  [[nodiscard]] constexpr index_t counts(index_t bytes) const { return back ? 0 : bytes; }
  /// Copies of so many tokens; choices of experts that return their input make none.
  [[nodiscard]] constexpr index_t copies_of(index_t tokens) const {
    return identity == 0 ? tokens * shape.top_k : tokens * shape.top_k * shape.experts / (shape.experts + identity);
  }
  /// Rows of a rank's tokens in expert order.
  [[nodiscard]] constexpr index_t ordered_rows(index_t tokens) const {
    return capacity > 0 ? shape.experts * capacity : copies_of(tokens);
  }
  index_t identity = 0;  ///< experts that have been taken out of the choices
  index_t capacity = 0;  ///< rows of every expert, where a rank pads them
  /// The first time a group gathers rows of unknown count its ranks tell each other: one number, or behind an
  /// all_to_all the rows of every (source, expert) chunk.
  template <class Group>
  constexpr index_t count_exchange() {
    if (back) return 0;
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
    shape.experts += identity;
    identity = capacity = 0;
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
