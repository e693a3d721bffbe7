// SPDX-License-Identifier: Apache-2.0
// Which reductions the gradients of a sequence's parameters still need, derived from the placements alone: a gradient
// is partial over every group on which the rows that meet the parameter are cut or a summand, or on which their
// cotangent is a summand, and sharded where the parameter is.
#pragma once

#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The parameter placements of a sequence in the order they are met.
template <class Operation>
struct parameters_of {
  using type = type_list<>;
};
template <parameterised Operation>
struct parameters_of<Operation> {
  using type = type_list<typename Operation::parameter>;
};
template <class... Operations>
struct parameters_of<sequence<Operations...>> {
  using type = concat_t<type_list<>, typename parameters_of<Operations>::type...>;
};
template <class... Branches>
struct parameters_of<fork<Branches...>> {
  using type = concat_t<type_list<>, typename parameters_of<Branches>::type...>;
};
template <class... Branches>
struct parameters_of<join<Branches...>> : parameters_of<fork<Branches...>> {};
template <std::size_t Port, class Branch>
struct parameters_of<on_port<Port, Branch>> : parameters_of<Branch> {};
template <class Branch>
struct parameters_of<each<Branch>> : parameters_of<Branch> {};
template <class Branch>
struct parameters_of<recompute<Branch>> : parameters_of<Branch> {};

template <class Sequence>
struct gradient_trace {
  using universe = typename traced<Sequence>::universe;
  using parameters = typename parameters_of<Sequence>::type;

  static constexpr auto value = [] {
    std::array<flow_reduction, parameters::size + 1> reductions{};
    trace_from<universe, Sequence>(traced<Sequence>::value.start, reductions.data());
    return reductions;
  }();

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

}  // namespace detail

/// For each parameter of the sequence, in order, the groups over which its gradient is a sum that is still to be taken:
/// `placement<on<G, partial>...>`. An empty placement needs no reduction.
template <class Sequence>
using parameter_gradients_t = typename detail::gradient_trace<Sequence>::type;

}  // namespace heddle::inline HEDDLE_ABI
