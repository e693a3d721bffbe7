// SPDX-License-Identifier: Apache-2.0
// Which `on<Group, State>` entries a sequence can mention: the list whose indices a `flow` carries, and the way from an
// index back to a type.
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
template <class Branch>
struct recompute;
template <class Branch>
struct beside;

namespace detail {

template <std::size_t Index, class Type>
struct indexed {
  using type = Type;
};
template <class Indices, class... Types>
struct indexer;
template <std::size_t... Index, class... Types>
struct indexer<std::index_sequence<Index...>, Types...> : indexed<Index, Types>... {};
template <std::size_t Index, class Type>
constexpr indexed<Index, Type> select(indexed<Index, Type>*) {
  return {};
}
template <class List, int Index>
struct element {
  using type = void;
};
template <class... Types, int Index>
  requires(Index >= 0)
struct element<type_list<Types...>, Index> {
  using type = typename decltype(select<static_cast<std::size_t>(Index)>(
      static_cast<indexer<std::index_sequence_for<Types...>, Types...>*>(nullptr)))::type;
};
/// The type at `Index`; void for a negative index.
template <class List, int Index>
using element_t = typename element<List, Index>::type;

/// A list without its repetitions. Found as values, because a fold over types of a long sequence is too deep for clang.
template <class List>
struct unique;
template <class... Types>
struct unique<type_list<Types...>> {
  struct found {
    std::array<int, sizeof...(Types) + 1> at{};
    std::size_t count = 0;
  };
  static constexpr found first = [] {
    std::array<type_id, sizeof...(Types) + 1> const ids{id_of<Types>..., type_id::none};
    found result;
    for (std::size_t i = 0; i != sizeof...(Types); ++i) {
      bool seen = false;
      for (std::size_t j = 0; j < result.count && !seen; ++j)
        seen = ids[static_cast<std::size_t>(result.at[j])] == ids[i];
      if (!seen) result.at[result.count++] = static_cast<int>(i);
    }
    return result;
  }();
  template <std::size_t... Index>
  static constexpr auto pick(std::index_sequence<Index...>)
      -> type_list<element_t<type_list<Types...>, first.at[Index]>...>;
  using type = decltype(pick(std::make_index_sequence<first.count>{}));
};
template <class List>
using unique_t = typename unique<List>::type;

/// The entries that an operation can mention, as a type_list with repetitions.
template <class Type>
struct entries_in {
  using type = type_list<>;
};
template <class Group, class State>
struct entries_in<on<Group, State>> {
  using type = type_list<on<Group, State>>;
};
template <class... Entries>
struct entries_in<placement<Entries...>> {
  using type = type_list<Entries...>;
};
template <class... Placements>
struct entries_in<ports<Placements...>> {
  using type = concat_t<type_list<>, typename entries_in<Placements>::type...>;
};

template <>
struct entries_in<void> {
  using type = type_list<>;
};

template <class Operation>
struct mentions {
  using type =
      concat_t<typename entries_in<typename Operation::from>::type, typename entries_in<typename Operation::to>::type,
               typename entries_in<typename Operation::parameter>::type>;
};

template <class... Entries>
constexpr int group_count(type_list<Entries...>) {
  return static_cast<int>(unique<type_list<typename Entries::group...>>::first.count);
}

template <class... Operations>
struct mentions<sequence<Operations...>> {
  template <class List>
  struct all;
  template <class... Distinct>
  struct all<type_list<Distinct...>> {
    using type = concat_t<type_list<>, typename mentions<Distinct>::type...>;
  };
  using type = unique_t<typename all<unique_t<type_list<Operations...>>>::type>;
};
template <class... Branches>
struct mentions<fork<Branches...>> {
  using type = concat_t<type_list<>, typename mentions<Branches>::type...>;
};
template <class... Branches>
struct mentions<join<Branches...>> : mentions<fork<Branches...>> {};
template <std::size_t Port, class Branch>
struct mentions<on_port<Port, Branch>> : mentions<Branch> {};
template <class Branch>
struct mentions<each<Branch>> : mentions<Branch> {};
template <class Branch>
struct mentions<recompute<Branch>> : mentions<Branch> {};
template <class Branch>
struct mentions<beside<Branch>> : mentions<Branch> {};

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
  static constexpr std::array<flow_map, sizeof...(Placements) + 1> value{map_of<Universe, Placements>::value...,
                                                                         flow_map{}};
  static constexpr int count = sizeof...(Placements);
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
