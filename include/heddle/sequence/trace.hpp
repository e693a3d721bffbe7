// SPDX-License-Identifier: Apache-2.0
// How each kind of operation moves values through a `flow`: a plain one by its ports, the combinators by their branches.
#pragma once

#include <heddle/sequence/flow.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {

template <class... Operations>
struct sequence;
template <class... Branches>
struct fork;
template <class... Branches>
struct join;
template <std::size_t Port, class Branch>
struct on_port;
template <class Branch>
struct each;

namespace detail {

/// The entries that an operation can mention, as a type_list with repetitions.
template <class Type>
struct entries_in { using type = type_list<>; };
template <class Group, class State>
struct entries_in<on<Group, State>> { using type = type_list<on<Group, State>>; };
template <class... Entries>
struct entries_in<placement<Entries...>> { using type = type_list<Entries...>; };
template <class... Placements>
struct entries_in<ports<Placements...>> { using type = concat_t<type_list<>, typename entries_in<Placements>::type...>; };

template <>
struct entries_in<void> { using type = type_list<>; };

template <class Operation>
struct mentions {
  using type = concat_t<typename entries_in<typename Operation::from>::type, typename entries_in<typename Operation::to>::type,
                        typename entries_in<typename Operation::parameter>::type>;
};

/// Appends what a list lacks; `operator+` memoises on (list, type), so a long sequence of few operations stays cheap.
template <class... Have>
struct type_set {
  using type = type_list<Have...>;
  template <class New>
  friend constexpr auto operator+(type_set, std::type_identity<New>) {
    if constexpr ((std::same_as<New, Have> || ...)) return type_set{};
    else return type_set<Have..., New>{};
  }
};
template <class... Types>
constexpr auto unite(type_list<Types...>) { return (type_set<>{} + ... + std::type_identity<Types>{}); }
template <class List>
using unique_t = typename decltype(unite(List{}))::type;

template <class... Operations>
struct mentions<sequence<Operations...>> {
  template <class List>
  struct all;
  template <class... Distinct>
  struct all<type_list<Distinct...>> { using type = concat_t<type_list<>, typename mentions<Distinct>::type...>; };
  using type = unique_t<typename all<unique_t<type_list<Operations...>>>::type>;
};
template <class... Branches>
struct mentions<fork<Branches...>> { using type = concat_t<type_list<>, typename mentions<Branches>::type...>; };
template <class... Branches>
struct mentions<join<Branches...>> : mentions<fork<Branches...>> {};
template <std::size_t Port, class Branch>
struct mentions<on_port<Port, Branch>> : mentions<Branch> {};
template <class Branch>
struct mentions<each<Branch>> : mentions<Branch> {};

template <class Universe, class Placement>
struct map_of;
template <class Universe, class... Entries>
struct map_of<Universe, placement<Entries...>> {
  static constexpr flow_map value = [] {
    flow_map map;
    (map.set(entry_of<Entries>(static_cast<int>(index_of_v<Entries, Universe>))), ...);
    return map;
  }();
};
template <class Universe, class Ports>
struct maps_of;
template <class Universe, class... Placements>
struct maps_of<Universe, ports<Placements...>> {
  static constexpr std::array<flow_map, sizeof...(Placements) + 1> value{map_of<Universe, Placements>::value..., flow_map{}};
  static constexpr int count = sizeof...(Placements);
};

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
  void const* const axis = cut_before ? before.axis : next.axis;
  for (int i = 0; i < port.known.count; ++i) {
    flow_entry const& other = port.known.entries[static_cast<std::size_t>(i)];
    bool const together = after.find(other.group) >= 0;  // one operation changes both cuts: a regrid
    if (cuts(other.kind) && other.axis == axis && outside(before, other) && !together) {
      f.fail(flow_fault::nesting, other.type_index, before.type_index);
    }
  }
}

/// A parameter's gradient is a sum over every group on which its rows are cut or its cotangent is a summand, unless the
/// parameter itself is cut there.
template <class Universe, class Parameter>
constexpr void note_parameter(flow& f, flow_map const& output) {
  if (f.reductions == nullptr) return;
  constexpr flow_map const& owned = map_of<Universe, Parameter>::value;
  flow_reduction& reduction = f.reductions[f.parameters++];
  auto note = [&](flow_entry const& entry) {
    int const own = owned.find(entry.group);
    if (own >= 0 && owned.entries[static_cast<std::size_t>(own)].kind == state_kind::sharded) return;
    int const out = output.find(entry.group);
    bool const varies = out >= 0 ? output.entries[static_cast<std::size_t>(out)].kind == state_kind::varying : entry.kind == state_kind::varying;
    if (cuts(entry.kind) || varies) reduction.add(entry);
  };
  flow_port const& rows = f.ports[0];
  for (int i = 0; i < rows.known.count; ++i) note(rows.known.entries[static_cast<std::size_t>(i)]);
  for (int o = 0; o < f.start_count; ++o) {
    flow_map const& map = f.start[static_cast<std::size_t>(o)];
    for (int i = 0; i < map.count && (rows.origins >> o & 1U) != 0; ++i) {
      flow_entry const& entry = map.entries[static_cast<std::size_t>(i)];
      if (rows.known.find(entry.group) < 0) note(entry);
    }
  }
}

template <class Universe, class Operation>
struct trace {
  static constexpr void apply(flow& f) {
    using inputs = maps_of<Universe, as_ports_t<typename Operation::from>>;
    using outputs = maps_of<Universe, as_ports_t<typename Operation::to>>;
    if (f.port_count != inputs::count) return f.fail(flow_fault::ports);

    // What the operation names must be so; what it does not name must survive it.
    flow_map touched;
    for (int p = 0; p < inputs::count; ++p) {
      flow_port& port = f.ports[static_cast<std::size_t>(p)];
      flow_map const& wanted = inputs::value[static_cast<std::size_t>(p)];
      for (int i = 0; i < wanted.count; ++i) {
        flow_entry const& entry = wanted.entries[static_cast<std::size_t>(i)];
        f.demand(port, entry);
        touched.set(entry);
        if constexpr (outputs::count == 1) check_nesting(f, port, entry, outputs::value[0]);
      }
      if constexpr (!Operation::linear) {
        for (int i = 0; i < port.known.count; ++i) {
          flow_entry const& entry = port.known.entries[static_cast<std::size_t>(i)];
          if (entry.kind == state_kind::partial && wanted.find(entry.group) < 0) f.fail(flow_fault::nonlinear, entry.type_index);
        }
      }
    }

    if constexpr (parameterised<Operation>) note_parameter<Universe, typename Operation::parameter>(f, outputs::value[0]);

    flow_port carried = f.ports[0];
    for (int p = 1; p < inputs::count; ++p) carried = f.merge(carried, f.ports[static_cast<std::size_t>(p)], touched);
    f.port_count = outputs::count;
    for (int q = 0; q < outputs::count; ++q) {
      flow_port& port = f.ports[static_cast<std::size_t>(q)];
      port = flow_port{{}, carried.origins};
      flow_map const& given = outputs::value[static_cast<std::size_t>(q)];
      for (int i = 0; i < carried.known.count; ++i) {
        flow_entry const& entry = carried.known.entries[static_cast<std::size_t>(i)];
        if (touched.find(entry.group) < 0) port.known.set(entry);
      }
      for (int i = 0; i < given.count; ++i) port.known.set(given.entries[static_cast<std::size_t>(i)]);
    }
  }
};

template <class Universe, class... Operations>
struct trace<Universe, sequence<Operations...>> {
  static constexpr void apply(flow& f) { (trace<Universe, Operations>::apply(f), ...); }
  /// The same, remembering which operation failed.
  static constexpr void apply_outermost(flow& f) {
    int index = 0;
    ((f.failed() ? void() : (trace<Universe, Operations>::apply(f), f.failed() ? void(f.fault_operation = index) : void(++index))), ...);
  }
};

/// Runs a branch on one value; it must give back one value.
template <class Universe, class Branch>
constexpr flow_port run_branch(flow& f, flow_port const& port) {
  auto const ports = f.ports;
  int const count = f.port_count;
  f.ports[0] = port;
  f.port_count = 1;
  trace<Universe, Branch>::apply(f);
  if (f.port_count != 1) f.fail(flow_fault::ports);
  flow_port const result = f.ports[0];
  f.ports = ports;
  f.port_count = count;
  return result;
}

template <class Universe, class... Branches>
struct trace<Universe, fork<Branches...>> {
  static constexpr void apply(flow& f) {
    if (f.port_count != 1) return f.fail(flow_fault::ports);
    flow_port const value = f.ports[0];
    std::size_t branch = 0;
    ((f.ports[branch] = run_branch<Universe, Branches>(f, value), ++branch), ...);
    f.port_count = sizeof...(Branches);
  }
};

template <class Universe, class... Branches>
struct trace<Universe, join<Branches...>> {
  static constexpr void apply(flow& f) {
    if (f.port_count != sizeof...(Branches)) return f.fail(flow_fault::ports);
    std::size_t branch = 0;
    ((f.ports[branch] = run_branch<Universe, Branches>(f, f.ports[branch]), ++branch), ...);
    flow_port sum = f.ports[0];
    for (std::size_t b = 1; b < sizeof...(Branches); ++b) sum = f.merge(sum, f.ports[b], flow_map{});
    f.ports[0] = sum;
    f.port_count = 1;
  }
};

template <class Universe, std::size_t Port, class Branch>
struct trace<Universe, on_port<Port, Branch>> {
  static constexpr void apply(flow& f) {
    if (static_cast<std::size_t>(f.port_count) <= Port) return f.fail(flow_fault::ports);
    f.ports[Port] = run_branch<Universe, Branch>(f, f.ports[Port]);
  }
};

template <class Universe, class Branch>
struct trace<Universe, each<Branch>> {
  static constexpr void apply(flow& f) {
    for (int p = 0; p < f.port_count; ++p) {
      f.ports[static_cast<std::size_t>(p)] = run_branch<Universe, Branch>(f, f.ports[static_cast<std::size_t>(p)]);
    }
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
