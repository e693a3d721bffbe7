// SPDX-License-Identifier: Apache-2.0
// What an operation may meet besides the placements it names: which cut of an axis may change, who may take a summand,
// and what a parameter's gradient is a sum over.
#pragma once

#include <heddle/sequence/entries.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Whether ranks in this state hold different parts of an axis.
constexpr bool cuts(state_kind kind) {
  return kind == state_kind::sharded || kind == state_kind::bucketed || kind == state_kind::routed;
}

/// An axis loses its innermost cut first and gains new cuts further in.
constexpr void check_nesting(flow& f, flow_port const& port, flow_entry const& before, flow_map const& after) {
  int const at = after.find(before.group);
  flow_entry const next = at >= 0 ? after.entries[static_cast<std::size_t>(at)] : flow_entry{};
  bool const cut_before = cuts(before.kind);
  bool const cut_after = cuts(next.kind);
  if (cut_before == cut_after) return;
  type_id const axis = cut_before ? before.axis : next.axis;
  for (int i = 0; i < port.known.count; ++i) {
    flow_entry const& other = port.known.entries[static_cast<std::size_t>(i)];
    bool const together = after.find(other.group) >= 0;  // one operation changes both cuts: a regrid
    if (cuts(other.kind) && other.axis == axis && outside(before, other) && !together) {
      f.fail(flow_fault::nesting, other.type_index, before.type_index);
    }
  }
}

/// A parameter's gradient is a sum over every group on which its rows are cut or a summand, or its cotangent is a
/// summand, unless the parameter itself is cut there.
template <class Universe, class Parameter>
constexpr void note_parameter(flow& f, flow_map const& output) {
  if (f.reductions == nullptr) return;
  constexpr flow_map const& owned = map_of<Universe, Parameter>::value;
  flow_reduction& reduction = f.reductions[f.parameters++];
  auto note = [&](flow_entry const& entry) {
    int const own = owned.find(entry.group);
    if (own >= 0 && owned.entries[static_cast<std::size_t>(own)].kind == state_kind::sharded) return;
    int const out = output.find(entry.group);
    bool const varies = out >= 0 ? output.entries[static_cast<std::size_t>(out)].kind == state_kind::varying
                                 : entry.kind == state_kind::varying;
    if (cuts(entry.kind) || entry.kind == state_kind::partial || varies) reduction.add(entry);
  };
  flow_port const& rows = f.ports[0];
  for (int i = 0; i < rows.known.count; ++i) note(rows.known.entries[static_cast<std::size_t>(i)]);
}

/// What is not linear takes no summand. A product is linear in each factor alone: it may take one in a factor where it
/// says so; and so may what one rank alone adds. `may` says whether the operation is one of these.
template <std::size_t Size>
constexpr void refuse_summands(flow& f, flow_port const& port, std::array<flow_map, Size> const& inputs, bool may,
                               int factor) {
  auto summand = [](flow_map const& map, type_id group) {
    int const at = map.find(group);
    return at >= 0 && map.entries[static_cast<std::size_t>(at)].kind == state_kind::partial;
  };
  for (int i = 0; i < port.known.count; ++i) {
    flow_entry const& entry = port.known.entries[static_cast<std::size_t>(i)];
    if (entry.kind != state_kind::partial) continue;
    int factors = 0;
    for (flow_map const& input : inputs) factors += summand(input, entry.group) ? 1 : 0;
    bool const stated = may && factors == 1 && summand(inputs[static_cast<std::size_t>(factor)], entry.group);
    if (!stated) f.fail(flow_fault::nonlinear, entry.type_index);
  }
}

constexpr bool same_groups(flow_map const& a, flow_map const& b) {
  bool same = a.count == b.count;
  for (int i = 0; i < a.count && same; ++i) same = b.find(a.entries[static_cast<std::size_t>(i)].group) >= 0;
  return same;
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
