// SPDX-License-Identifier: Apache-2.0
// Which reductions the gradients of a sequence's parameters still need, derived from the placements alone: a gradient
// is partial over every group on which the rows that meet the parameter are cut or a summand, or on which their
// cotangent is a summand, and sharded where the parameter is.
#pragma once

#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The operations of a sequence that have a parameter, in the order they are met.
template <class Operation>
struct parameterised_in {
  using type = type_list<>;
};
template <parameterised Operation>
struct parameterised_in<Operation> {
  using type = type_list<Operation>;
};
template <class... Operations>
struct parameterised_in<sequence<Operations...>> {
  using type = concat_t<type_list<>, typename parameterised_in<Operations>::type...>;
};
template <class... Branches>
struct parameterised_in<fork<Branches...>> {
  using type = concat_t<type_list<>, typename parameterised_in<Branches>::type...>;
};
template <class... Branches>
struct parameterised_in<join<Branches...>> : parameterised_in<fork<Branches...>> {};
template <std::size_t Port, class Branch>
struct parameterised_in<on_port<Port, Branch>> : parameterised_in<Branch> {};
template <class Branch>
struct parameterised_in<each<Branch>> : parameterised_in<Branch> {};
template <class Branch>
struct parameterised_in<recompute<Branch>> : parameterised_in<Branch> {};
template <class Branch>
struct parameterised_in<beside<Branch>> : parameterised_in<Branch> {};

/// Their parameters' placements.
template <class Operations>
struct placements_of;
template <class... Operations>
struct placements_of<type_list<Operations...>> {
  using type = type_list<typename Operations::parameter...>;
};
template <class Sequence>
struct parameters_of : placements_of<typename parameterised_in<Sequence>::type> {};

template <class Sequence, class Start>
struct gradient_trace {
  using universe = unique_t<concat_t<typename traced<Sequence>::universe, typename entries_in<Start>::type>>;
  using parameters = typename parameters_of<Sequence>::type;

  static constexpr auto start = [] {
    auto maps = maps_of<universe, as_ports_t<typename traced<Sequence>::from>>::value;
    std::array<flow_map, max_ports> start{};
    for (std::size_t p = 0; p + 1 < maps.size(); ++p) start[p] = maps[p];
    constexpr flow_map more = map_of<universe, Start>::value;
    for (int i = 0; i < more.count; ++i) start[0].set(more.entries[static_cast<std::size_t>(i)]);
    return start;
  }();
  static constexpr auto value = [] {
    std::array<flow_reduction, parameters::size + 1> reductions{};
    static_cast<void>(trace_from<universe, Sequence>(start, reductions.data()));
    return reductions;
  }();
  static constexpr bool fits = !trace_from<universe, Sequence>(start).failed();

  template <std::size_t Parameter, std::size_t... Index>
  static constexpr auto at(std::index_sequence<Index...>) -> placement<
      on<typename element_t<universe, value[Parameter].groups.entries[Index].type_index>::group, partial>...>;
  template <std::size_t Parameter>
  using placement_type =
      decltype(at<Parameter>(std::make_index_sequence<static_cast<std::size_t>(value[Parameter].groups.count)>{}));
  template <std::size_t... Parameter>
  static constexpr auto all(std::index_sequence<Parameter...>) -> type_list<placement_type<Parameter>...>;
  using type = decltype(all(std::make_index_sequence<parameters::size>{}));
};

/// The roles of operations that have parameters, each once.
template <class Operations>
struct roles_of;
template <class... Operations>
struct roles_of<type_list<Operations...>> {
  using type = unique_t<type_list<typename Operations::role...>>;
};
/// The first operation of a role: its parameter's placement says how the struct is cut.
template <class Role, class Operations>
struct first_of_role;
template <class Role, class First, class... Rest>
struct first_of_role<Role, type_list<First, Rest...>>
    : std::conditional_t<std::same_as<typename First::role, Role>, std::type_identity<First>,
                         first_of_role<Role, type_list<Rest...>>> {};
template <class Role>
struct first_of_role<Role, type_list<>> {};

}  // namespace detail

/// For each parameter of the sequence, in order, the groups over which its gradient is a sum that is still to be taken:
/// `placement<on<G, partial>...>`. An empty placement needs no reduction. `Start` names what the sequence itself does
/// not: groups over which its input is dealt without any operation asking, as tokens are over dp.
template <class Sequence, class Start = placement<>>
using parameter_gradients_t = typename detail::gradient_trace<Sequence, Start>::type;

}  // namespace heddle::inline HEDDLE_ABI
