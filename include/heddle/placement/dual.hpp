// SPDX-License-Identifier: Apache-2.0
// The placement of a gradient. A value that ranks use differently (`varying`) collects a different gradient on each,
// and the true one is their sum (`partial`), and the other way round; every other state is its own dual.
#pragma once

#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The dual of a state, of a placement, or of `ports`, entry by entry; see `dual_t`.
template <class Type>
struct dual {
  using type = Type;
};
template <>
struct dual<varying> {
  using type = partial;
};
template <>
struct dual<partial> {
  using type = varying;
};
template <class Group, class State>
struct dual<on<Group, State>> {
  using type = on<Group, typename dual<State>::type>;
};
template <class... Entries>
struct dual<placement<Entries...>> {
  using type = placement<typename dual<Entries>::type...>;
};
template <class... Placements>
struct dual<ports<Placements...>> {
  using type = ports<typename dual<Placements>::type...>;
};

/// Where the gradient of a value with placement `Type` lives. `dual_t<dual_t<P>>` is `P`.
template <class Type>
using dual_t = typename dual<Type>::type;

}  // namespace heddle::inline HEDDLE_ABI
