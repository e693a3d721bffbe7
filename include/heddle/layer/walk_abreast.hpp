// SPDX-License-Identifier: Apache-2.0
// Values side by side at run time, forward, back and for the weights: every branch in its turn, and a result that
// another lane computes is waited for by whoever needs it next.
#pragma once

#include <heddle/layer/walk_weights.hpp>
#include <heddle/sequence/abreast.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Mode, class... Branches>
struct walk<Mode, abreast<Branches...>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> const& values) {
    // Braces order the branches: every rank meets their collectives in one order.
    return std::apply(
        [&](auto const&... value) {
          return together<Mode>(std::tuple{through_branch<Mode, Branches>(frame, arrived(value))...});
        },
        values);
  }
};
template <class... Branches>
struct walk_back<abreast<Branches...>> {
  template <class Frame, class Saved, class... Values>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Values...> const& dy) {
    return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      return together(
          std::tuple{back_branch<Branches>(frame, std::get<Index>(saved), arrived(std::get<Index>(dy)))...});
    }
    (std::index_sequence_for<Branches...>{});
  }
};
template <class... Branches>
struct walk_weights<abreast<Branches...>> : walk_weights<sequence<Branches...>> {};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
