// SPDX-License-Identifier: Apache-2.0
// A program as a type: operations in order, each link checked.
#pragma once

#include <heddle/sequence/refusal.hpp>
#include <heddle/sequence/trace.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// How many values an operation takes. Combinators that act inside a bundle are met behind a fork; alone they take two.
template <class Operation>
struct inputs_of {
  static constexpr int value = as_ports_t<typename Operation::from>::count;
};
template <class... Operations>
struct inputs_of<sequence<Operations...>> {
  static constexpr int value = 1;
};
template <class First, class... Rest>
struct inputs_of<sequence<First, Rest...>> : inputs_of<First> {};
template <class... Branches>
struct inputs_of<fork<Branches...>> {
  static constexpr int value = 1;
};
template <class... Branches>
struct inputs_of<join<Branches...>> {
  static constexpr int value = branch_count<sizeof...(Branches)>::value;
};
template <std::size_t Port, class Branch>
struct inputs_of<on_port<Port, Branch>> {
  static constexpr int value = Port < 2 ? 2 : static_cast<int>(Port) + 1;
};
template <class Branch>
struct inputs_of<each<Branch>> {
  static constexpr int value = 2;
};
template <class Branch>
struct inputs_of<recompute<Branch>> : inputs_of<Branch> {};
template <class Branch>
struct inputs_of<beside<Branch>> : inputs_of<Branch> {};

/// Runs a sequence from values of which `start` is known.
template <class Universe, class Sequence>
constexpr flow trace_from(std::array<flow_map, max_ports> const& start, flow_reduction* reductions = nullptr) {
  flow f;
  f.port_count = f.start_count = inputs_of<Sequence>::value;
  f.start = start;
  f.reductions = reductions;
  for (std::size_t p = 0; p < static_cast<std::size_t>(f.port_count); ++p) f.ports[p] = {start[p], 1U << p};
  trace<Universe, Sequence>::apply_outermost(f);
  return f;
}

/// Whether a demand made late can make an early operation wrong: a summand, or an axis cut twice.
constexpr bool needs_second_look(flow const& f) {
  for (flow_map const& map : f.start) {
    for (int i = 0; i < map.count; ++i) {
      flow_entry const& entry = map.entries[static_cast<std::size_t>(i)];
      if (entry.kind == state_kind::partial) return true;
      for (int j = 0; j < i && cuts(entry.kind); ++j) {
        flow_entry const& other = map.entries[static_cast<std::size_t>(j)];
        if (cuts(other.kind) && other.axis == entry.axis) return true;
      }
    }
  }
  return false;
}

/// Runs a sequence from values of which nothing is known, and learns what it demands of them.
template <class Universe, class Sequence>
constexpr flow trace_sequence() {
  flow f = trace_from<Universe, Sequence>({});
  if (!f.failed() && needs_second_look(f)) f = trace_from<Universe, Sequence>(f.start);
  // A port that never met a group still has what the sequence demanded of its origin.
  for (int p = 0; p < f.port_count; ++p) {
    flow_port& port = f.ports[static_cast<std::size_t>(p)];
    for (int o = 0; o < f.start_count; ++o) {
      if ((port.origins >> o & 1U) == 0) continue;
      flow_map const& map = f.start[static_cast<std::size_t>(o)];
      for (int i = 0; i < map.count; ++i) {
        flow_entry const& entry = map.entries[static_cast<std::size_t>(i)];
        if (port.known.find(entry.group) < 0) port.known.set(entry);
      }
    }
  }
  return f;
}

/// The trace of a sequence, and the way back from its values to types.
template <class Sequence>
struct traced {
  using universe = unique_t<typename mentions<Sequence>::type>;
  static_assert(group_count(universe{}) <= max_groups,
                "[heddle.sequence.groups] a sequence names more than twelve groups. Fix: fewer groups, or a sequence "
                "for each part.");
  static constexpr flow value = trace_sequence<universe, Sequence>();

  template <bool Start, std::size_t Port>
  static constexpr flow_map map() {
    if constexpr (Start) return value.start[Port];
    else return value.ports[Port].known;
  }
  template <bool Start, std::size_t Port, std::size_t... Index>
  static constexpr auto placement_at(std::index_sequence<Index...>)
      -> placement<element_t<universe, map<Start, Port>().entries[Index].type_index>...>;
  template <bool Start, std::size_t Port>
  using placement_type = decltype(placement_at<Start, Port>(
      std::make_index_sequence<static_cast<std::size_t>(map<Start, Port>().count)>{}));
  template <bool Start, std::size_t... Port>
  static constexpr auto ports_at(std::index_sequence<Port...>) -> ports<placement_type<Start, Port>...>;
  template <std::size_t Count, bool Start>
  struct bundle {
    using type = decltype(ports_at<Start>(std::make_index_sequence<Count>{}));
  };
  template <bool Start>
  struct bundle<1, Start> {
    using type = placement_type<Start, 0>;
  };

  using from = typename bundle<static_cast<std::size_t>(value.start_count), true>::type;
  using to = typename bundle<static_cast<std::size_t>(value.port_count), false>::type;
};

/// Says what is wrong with a sequence, naming the entries and the operation in the types of one struct.
template <class Sequence>
struct verdict;
template <class... Operations>
struct verdict<sequence<Operations...>> {
  using trace = traced<sequence<Operations...>>;
  static constexpr bool ok() {
    constexpr flow_fault fault = trace::value.fault;
    if constexpr (fault == flow_fault::none) {
      return true;
    } else {
      using operation = element_t<type_list<Operations...>, trace::value.fault_operation>;
      using have = element_t<typename trace::universe, trace::value.have>;
      using need = element_t<typename trace::universe, trace::value.need>;
      if constexpr (fault == flow_fault::link) return sizeof(link<have, need, operation>) == 0;
      else if constexpr (fault == flow_fault::nesting) return sizeof(nesting<have, need, operation>) == 0;
      else if constexpr (fault == flow_fault::nonlinear) return sizeof(through<have, operation>) == 0;
      else if constexpr (fault == flow_fault::disagree) return sizeof(quarrel<have, need, operation>) == 0;
      else if constexpr (fault == flow_fault::groups) return sizeof(group_names<operation>) == 0;
      else return sizeof(port_count<operation>) == 0;
    }
  }
};

// Reverses and conjugates eight operations a step, so that long sequences need few instantiations.
template <class... Operations>
struct reversed {
  using type = sequence<>;
};
template <class A>
struct reversed<A> {
  using type = sequence<typename A::conjugate>;
};
template <class A, class B>
struct reversed<A, B> {
  using type = sequence<typename B::conjugate, typename A::conjugate>;
};
template <class A, class B, class C, class... Rest>
struct reversed<A, B, C, Rest...> {
  using type = concat_t<typename reversed<Rest...>::type,
                        sequence<typename C::conjugate, typename B::conjugate, typename A::conjugate>>;
};
template <class A, class B, class C, class D, class E, class F, class G, class H, class... Rest>
struct reversed<A, B, C, D, E, F, G, H, Rest...> {
  using type =
      concat_t<typename reversed<Rest...>::type,
               sequence<typename H::conjugate, typename G::conjugate, typename F::conjugate, typename E::conjugate,
                        typename D::conjugate, typename C::conjugate, typename B::conjugate, typename A::conjugate>>;
};

}  // namespace detail

/// Operations in order. `from` and `to` name the groups the sequence touches; its conjugate is the reversed sequence of
/// conjugates.
template <class... Operations>
struct sequence {
  static_assert(detail::verdict<sequence>::ok());
  using from = typename detail::traced<sequence>::from;
  using to = typename detail::traced<sequence>::to;
  using conjugate = typename detail::reversed<Operations...>::type;
  static constexpr std::size_t size = sizeof...(Operations);
};

/// The backward pass of a sequence or an operation.
template <class Sequence>
using conjugate_t = typename Sequence::conjugate;

}  // namespace heddle::inline HEDDLE_ABI
