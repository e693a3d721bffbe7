// SPDX-License-Identifier: Apache-2.0
// How each kind of operation moves values through a `flow`: a plain one by its ports, the combinators by their
// branches.
#pragma once

#include <heddle/sequence/rules.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

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
      if constexpr (!Operation::linear)
        refuse_summands(f, port, inputs::value, Operation::once || inputs::count > 1, p);
    }
    for (int q = 0; q < outputs::count; ++q) {
      if (!same_groups(touched, outputs::value[static_cast<std::size_t>(q)])) return f.fail(flow_fault::groups);
    }

    if constexpr (parameterised<Operation>)
      note_parameter<Universe, typename Operation::parameter>(f, outputs::value[0]);

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
  // Array elements instead of folds: clang nests a fold at most 256 deep.
  static constexpr void apply(flow& f) {
    bool const in_order[] = {f.failed(), (trace<Universe, Operations>::apply(f), true)...};
    static_cast<void>(in_order);
  }
  /// The same, remembering which operation failed.
  static constexpr void apply_outermost(flow& f) {
    [[maybe_unused]] int index = 0;
    bool const in_order[] = {f.failed(), one<Operations>(f, index)...};
    static_cast<void>(in_order);
  }

 private:
  template <class Operation>
  static constexpr bool one(flow& f, int& index) {
    if (f.failed()) return false;
    trace<Universe, Operation>::apply(f);
    if (f.failed()) f.fault_operation = index;
    ++index;
    return true;
  }
};

/// Runs a branch on one value, which must give back one value. The ports of `f` are the branch's: callers keep theirs.
template <class Universe, class Branch>
constexpr flow_port run_branch(flow& f, flow_port const& port) {
  f.ports[0] = port;
  f.port_count = 1;
  trace<Universe, Branch>::apply(f);
  if (f.port_count != 1) f.fail(flow_fault::ports);
  return f.ports[0];
}

template <std::size_t Count>
struct branch_count {
  static constexpr bool ok = Count >= 1 && Count <= static_cast<std::size_t>(max_ports);
  static_assert(ok,
                "[heddle.fork.width] a fork or join has no branch, or more than four. Fix: nest forks, or leave the "
                "empty one out.");
  static constexpr int value = ok ? static_cast<int>(Count) : 1;
};

template <class Universe, class... Branches>
struct trace<Universe, fork<Branches...>> {
  static constexpr void apply(flow& f) {
    if (f.port_count != 1) return f.fail(flow_fault::ports);
    if constexpr (branch_count<sizeof...(Branches)>::ok) {
      flow_port const value = f.ports[0];
      std::array<flow_port, sizeof...(Branches)> const results{run_branch<Universe, Branches>(f, value)...};
      for (std::size_t b = 0; b < sizeof...(Branches); ++b) f.ports[b] = results[b];
      f.port_count = sizeof...(Branches);
    }
  }
};

template <class Universe, class... Branches>
struct trace<Universe, join<Branches...>> {
  static constexpr void apply(flow& f) {
    if (f.port_count != branch_count<sizeof...(Branches)>::value) return f.fail(flow_fault::ports);
    if constexpr (branch_count<sizeof...(Branches)>::ok) {
      auto const values = f.ports;
      std::size_t branch = 0;
      std::array<flow_port, sizeof...(Branches)> const results{run_branch<Universe, Branches>(f, values[branch++])...};
      flow_port sum = results[0];
      for (std::size_t b = 1; b < sizeof...(Branches); ++b) sum = f.merge(sum, results[b], flow_map{});
      f.ports[0] = sum;
      f.port_count = 1;
    }
  }
};

template <class Universe, std::size_t Port, class Branch>
struct trace<Universe, on_port<Port, Branch>> {
  static constexpr void apply(flow& f) {
    if (static_cast<std::size_t>(f.port_count) <= Port) return f.fail(flow_fault::ports);
    auto values = f.ports;
    int const count = f.port_count;
    values[Port] = run_branch<Universe, Branch>(f, values[Port]);
    f.ports = values;
    f.port_count = count;
  }
};

template <class Universe, class Branch>
struct trace<Universe, recompute<Branch>> : trace<Universe, Branch> {};
template <class Universe, class Branch>
struct trace<Universe, beside<Branch>> : trace<Universe, Branch> {};

template <class Universe, class Branch>
struct trace<Universe, each<Branch>> {
  static constexpr void apply(flow& f) {
    auto values = f.ports;
    int const count = f.port_count;
    for (std::size_t p = 0; p < static_cast<std::size_t>(count); ++p) {
      values[p] = run_branch<Universe, Branch>(f, values[p]);
    }
    f.ports = values;
    f.port_count = count;
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
