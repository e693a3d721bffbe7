// SPDX-License-Identifier: Apache-2.0
// A group is a named axis of the rank grid. `Nesting` is its place in canonical mesh order: groups with a smaller
// number lie outside those with a larger one, and where numbers are equal the names decide. When two groups cut one
// tensor axis, the outer one cuts first.
#pragma once

#include <heddle/core/fixed_string.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Base of a group tag; `Nesting` is its canonical place. A group of one's own:
/// `struct rows : heddle::group<"rows"> {};`
template <fixed_string Name, int Nesting = 50>
struct group {
  static constexpr auto name = Name;
  static constexpr int nesting = Nesting;
};

// The dense grid is pp x dp x cp x tp, the expert grid pp x edp x ep x etp, outermost first.
struct pp : group<"pp", 10> {};    ///< pipeline stages
struct dp : group<"dp", 20> {};    ///< data parallel replicas of the dense parameters
struct edp : group<"edp", 20> {};  ///< data parallel replicas of the experts
struct cp : group<"cp", 30> {};    ///< context parallel: pieces of one sequence
struct ep : group<"ep", 40> {};    ///< expert parallel: disjoint sets of experts
struct etp : group<"etp", 60> {};  ///< tensor parallel inside an expert
struct tp : group<"tp", 60> {};    ///< tensor parallel

/// Whether `Outer` lies outside `Inner` in canonical mesh order.
template <class Outer, class Inner>
inline constexpr bool outside_v = Outer::nesting != Inner::nesting ? Outer::nesting < Inner::nesting
                                                                   : Outer::name.view() < Inner::name.view();

}  // namespace heddle::inline HEDDLE_ABI
