// SPDX-License-Identifier: Apache-2.0
// A group is a named axis of the rank grid. `Nesting` is its place in canonical mesh order: groups with a smaller
// number lie outside those with a larger one, and where numbers are equal the names decide. When two groups cut one
// tensor axis, the outer one cuts first.
#pragma once

#include <heddle/core/fixed_string.hpp>
#include <heddle/core/type_list.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Base of a group tag; `Nesting` is its canonical place. A group of one's own:
/// `struct rows : heddle::group<"rows"> {};`
template <fixed_string Name, int Nesting = 50>
struct group {
  static constexpr auto name = Name;
  static constexpr int nesting = Nesting;
};

// The dense grid is pp x replica x dp x cp x tp, the expert grid pp x replica x edp x ep x etp, outermost first.
struct pp : group<"pp", 10> {};            ///< pipeline stages
struct replica : group<"replica", 15> {};  ///< whole copies of what dp shards (HSDP), in both grids
struct dp : group<"dp", 20> {};            ///< data parallel replicas of the dense parameters
struct edp : group<"edp", 20> {};          ///< data parallel replicas of the experts
struct cp : group<"cp", 30> {};            ///< context parallel: pieces of one sequence
struct ep : group<"ep", 40> {};            ///< expert parallel: disjoint sets of experts
struct etp : group<"etp", 60> {};          ///< tensor parallel inside an expert
struct tp : group<"tp", 60> {};            ///< tensor parallel

/// Whether `Outer` lies outside `Inner` in canonical mesh order.
template <class Outer, class Inner>
inline constexpr bool outside_v = Outer::nesting != Inner::nesting ? Outer::nesting < Inner::nesting
                                                                   : Outer::name.view() < Inner::name.view();

namespace detail {

template <class... Members>
consteval auto joint_name() {
  char text[(std::size_t{0} + ... + (Members::name.view().size() + 1))]{};  // a dot behind each, the last one the zero
  std::size_t at = 0;
  auto const append = [&](std::string_view name) {
    if (at > 0) text[at++] = '.';
    for (char const letter : name) text[at++] = letter;
  };
  (append(Members::name.view()), ...);
  return fixed_string{text};
}

template <class First, class... Others>
consteval int outermost() {
  int nesting = First::nesting;
  ((nesting = Others::nesting < nesting ? Others::nesting : nesting), ...);
  return nesting;
}

}  // namespace detail

/// Several groups of one mesh as one group, the first member fastest: the rank of `joint<etp, ep>` is
/// etp + ETP * ep, its name "etp.ep". Its place in mesh order is that of its outermost member.
template <class... Members>
struct joint {
  static_assert(sizeof...(Members) > 0 && ((std::size_t{0} + ... + index_of_v<Members, type_list<Members...>>)*2 ==
                                           sizeof...(Members) * (sizeof...(Members) - 1)),
                "[heddle.joint.members] a joint group has no member, or one twice. Fix: name each member once.");
  using members = type_list<Members...>;
  static constexpr auto name = detail::joint_name<Members...>();
  static constexpr int nesting = detail::outermost<Members...>();
};

/// The groups that `Group` is made of: the members of a joint group, or itself.
template <class Group>
struct members_of {
  using type = type_list<Group>;
};
template <class... Members>
struct members_of<joint<Members...>> {
  using type = type_list<Members...>;
};
template <class Group>
using members_of_t = typename members_of<Group>::type;

}  // namespace heddle::inline HEDDLE_ABI
