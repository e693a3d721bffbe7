// SPDX-License-Identifier: Apache-2.0
// The link check as arithmetic: values that flow through a sequence carry, per group, the index of an `on<Group,
// State>` in the list of all such entries the sequence mentions. A group met for the first time becomes a demand on the
// value the sequence starts from, so operations name only what they touch. Values instead of types keep a layer of a
// hundred styles cheap to compile.
#pragma once

#include <array>
#include <heddle/core/type_id.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// One `on<Group, State>` as a value.
struct flow_entry {
  type_id group = type_id::none;
  type_id state = type_id::none;
  type_id axis = type_id::none;
  state_kind kind = state_kind::replicated;
  int nesting = 0;
  std::string_view group_name;
  int type_index = -1;  ///< place in the sequence's list of entries: the way back to a type
};

template <class Entry>
constexpr flow_entry entry_of(int type_index) {
  using group = typename Entry::group;
  using state = typename Entry::state;
  return {id_of<group>,       id_of<state>, id_of<typename state::axis>, state::kind, group::nesting,
          group::name.view(), type_index};
}

constexpr bool outside(flow_entry const& a, flow_entry const& b) {
  return a.nesting != b.nesting ? a.nesting < b.nesting : a.group_name < b.group_name;
}

inline constexpr int max_groups = 12;
inline constexpr int max_ports = 4;

/// A map from groups to entries, in canonical mesh order.
struct flow_map {
  std::array<flow_entry, max_groups> entries{};
  int count = 0;

  constexpr int find(type_id group) const {
    for (int i = 0; i < count; ++i) {
      if (entries[static_cast<std::size_t>(i)].group == group) return i;
    }
    return -1;
  }
  constexpr void set(flow_entry const& entry) {
    int const at = find(entry.group);
    if (at >= 0) {
      entries[static_cast<std::size_t>(at)] = entry;
      return;
    }
    int place = count++;
    while (place > 0 && outside(entry, entries[static_cast<std::size_t>(place - 1)])) {
      entries[static_cast<std::size_t>(place)] = entries[static_cast<std::size_t>(place - 1)];
      --place;
    }
    entries[static_cast<std::size_t>(place)] = entry;
  }
};

/// One value in flight: what is known of it, and which starting values it descends from (a bit each).
struct flow_port {
  flow_map known{};
  unsigned origins = 0;
};

enum class flow_fault { none, ports, groups, link, nesting, nonlinear, disagree };

/// The groups over which a parameter's gradient is still a sum.
struct flow_reduction {
  flow_map groups{};
  constexpr void add(flow_entry const& entry) { groups.set(entry); }
};

struct flow {
  std::array<flow_port, max_ports> ports{};
  int port_count = 0;
  std::array<flow_map, max_ports> start{};
  int start_count = 0;

  flow_fault fault = flow_fault::none;
  int fault_operation = -1;              ///< index in the outermost sequence
  int have = -1;                         ///< entry the value had
  int need = -1;                         ///< entry the operation wanted
  flow_reduction* reductions = nullptr;  ///< one a parameter, where somebody asks
  int parameters = 0;

  constexpr bool failed() const { return fault != flow_fault::none; }
  constexpr void fail(flow_fault what, int have_entry = -1, int need_entry = -1) {
    if (failed()) return;
    fault = what;
    have = have_entry;
    need = need_entry;
  }

  /// What is known of `group` on a port: its own entry, or the demand already made on the values it descends from.
  constexpr flow_entry const* lookup(flow_port const& port, type_id group) const {
    int const own = port.known.find(group);
    if (own >= 0) return &port.known.entries[static_cast<std::size_t>(own)];
    for (int o = 0; o < start_count; ++o) {
      if ((port.origins >> o & 1U) == 0) continue;
      int const at = start[static_cast<std::size_t>(o)].find(group);
      if (at >= 0) return &start[static_cast<std::size_t>(o)].entries[static_cast<std::size_t>(at)];
    }
    return nullptr;
  }

  /// Demands `wanted` of a port: it must be so already, or the sequence must start so.
  constexpr void demand(flow_port& port, flow_entry const& wanted) {
    if (flow_entry const* present = lookup(port, wanted.group)) {
      if (present->state != wanted.state) fail(flow_fault::link, present->type_index, wanted.type_index);
    } else {
      for (int o = 0; o < start_count; ++o) {
        if ((port.origins >> o & 1U) != 0) start[static_cast<std::size_t>(o)].set(wanted);
      }
    }
    port.known.set(wanted);
  }

  /// One value out of several: what they know must agree, on every group that `touched` does not name.
  constexpr flow_port merge(flow_port a, flow_port b, flow_map const& touched) {
    for (int i = 0; i < a.known.count; ++i) {
      flow_entry const& entry = a.known.entries[static_cast<std::size_t>(i)];
      if (touched.find(entry.group) < 0) agree(b, entry);
    }
    for (int i = 0; i < b.known.count; ++i) {
      flow_entry const& entry = b.known.entries[static_cast<std::size_t>(i)];
      if (touched.find(entry.group) < 0) agree(a, entry);
    }
    a.origins |= b.origins;
    return a;
  }
  constexpr void agree(flow_port& port, flow_entry const& entry) {
    flow_entry const* present = lookup(port, entry.group);
    if (present != nullptr && present->state != entry.state)
      fail(flow_fault::disagree, present->type_index, entry.type_index);
    else demand(port, entry);
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
