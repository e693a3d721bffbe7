// SPDX-License-Identifier: Apache-2.0
// The first values of a bundle through a branch at run time, forward, back and for the weights.
#pragma once

#include <heddle/layer/walk_weights.hpp>
#include <heddle/sequence/leading.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <std::size_t First, std::size_t... Index, class... Values>
auto some_of(std::tuple<Values...> const& values, std::index_sequence<Index...>) {
  return std::tuple<std::tuple_element_t<First + Index, std::tuple<Values...>>...>{std::get<First + Index>(values)...};
}
template <std::size_t Count, class... Values>
auto first_of(std::tuple<Values...> const& values) {
  return some_of<0>(values, std::make_index_sequence<Count>{});
}
template <std::size_t Count, class... Values>
auto behind(std::tuple<Values...> const& values) {
  return some_of<Count>(values, std::make_index_sequence<sizeof...(Values) - Count>{});
}

template <class Mode, std::size_t In, std::size_t Out, class Branch>
struct walk<Mode, leading<In, Out, Branch>> {
  template <class Frame, class Values>
  static auto through(Frame& frame, Values const& values) {
    auto const result = walk<Mode, Branch>::through(frame, first_of<In>(values));
    return passed{std::tuple_cat(result.values, behind<In>(values)), result.saved};
  }
};
template <std::size_t In, std::size_t Out, class Branch>
struct walk_back<leading<In, Out, Branch>> {
  template <class Frame, class Saved, class Values>
  static auto through(Frame& frame, Saved const& saved, Values const& dy) {
    auto const result = walk_back<Branch>::through(frame, saved, first_of<Out>(dy));
    return returned{std::tuple_cat(result.values, behind<Out>(dy)), result.pending};
  }
};
template <std::size_t In, std::size_t Out, class Branch>
struct walk_weights<leading<In, Out, Branch>> : walk_weights<Branch> {};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
