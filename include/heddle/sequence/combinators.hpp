// SPDX-License-Identifier: Apache-2.0
// How several values flow: a fork sends one value down several branches, a join sums several, on_port and each act
// inside a bundle. The branches of a fork start in one placement, so the gradients that meet there have its dual.
#pragma once

#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {
template <class Type>
inline constexpr bool is_sequence = false;
template <class... Operations>
inline constexpr bool is_sequence<sequence<Operations...>> = true;
}  // namespace detail

/// One value into `sizeof...(Branches)` values. Conjugate: the gradients of all branches are summed.
template <class... Branches>
struct fork {
  static_assert((detail::is_sequence<Branches> && ...),
                "[heddle.fork.branch] a branch is not a sequence. Fix: write sequence<...>.");
  using conjugate = join<conjugate_t<Branches>...>;
};

/// Several values, each through its branch, then summed in the order of the branches.
template <class... Branches>
struct join {
  static_assert((detail::is_sequence<Branches> && ...),
                "[heddle.join.branch] a branch is not a sequence. Fix: write sequence<...>.");
  using conjugate = fork<conjugate_t<Branches>...>;
};

/// One value of a bundle through a branch; the others wait.
template <std::size_t Port, class Branch>
struct on_port {
  using conjugate = on_port<Port, conjugate_t<Branch>>;
};

/// Every value of a bundle through the same branch.
template <class Branch>
struct each {
  using conjugate = each<conjugate_t<Branch>>;
};

/// A branch of which only the inputs are saved: the backward pass runs it again. It may take and give several values.
template <class Branch>
struct recompute {
  static_assert(detail::is_sequence<Branch>,
                "[heddle.recompute.branch] what is recomputed is not a sequence. Fix: write recompute<sequence<...>>.");
  using branch = Branch;
  using conjugate = recompute<conjugate_t<Branch>>;
};

namespace detail {
/// Whether ranks speak to each other in an operation or any of its parts, and whether a part goes beside the others.
template <class Type>
struct speaks {
  static constexpr bool value = Type::communicates;
  static constexpr bool beside_others = false;
};
template <class... Operations>
struct speaks<sequence<Operations...>> {
  static constexpr bool value = (speaks<Operations>::value || ...);
  static constexpr bool beside_others = (speaks<Operations>::beside_others || ...);
};
template <class... Branches>
struct speaks<fork<Branches...>> : speaks<sequence<Branches...>> {};
template <class... Branches>
struct speaks<join<Branches...>> : speaks<sequence<Branches...>> {};
template <std::size_t Port, class Branch>
struct speaks<on_port<Port, Branch>> : speaks<Branch> {};
template <class Branch>
struct speaks<each<Branch>> : speaks<Branch> {};
template <class Branch>
struct speaks<recompute<Branch>> : speaks<Branch> {};
template <class Branch>
struct speaks<beside<Branch>> : speaks<Branch> {
  static constexpr bool beside_others = true;
};
}  // namespace detail

/// The end of a fork's branch that may run on a second lane while the other branches go on, forward and backward. The
/// lane computes and never communicates. The values of the fork meet in a join.
template <class Branch>
struct beside {
  static_assert(!detail::speaks<Branch>::value && !detail::speaks<conjugate_t<Branch>>::value,
                "[heddle.beside.communicates] a branch for the second lane has a collective, forward or backward. Fix: "
                "leave collectives to the branch around it.");
  static_assert(!detail::speaks<Branch>::beside_others,
                "[heddle.beside.nested] a branch for the second lane has another one in it, and the lane cannot wait "
                "for itself. Fix: leave beside<...> around the outer branch only, or make them branches of one fork.");
  using branch = Branch;
  using conjugate = beside<conjugate_t<Branch>>;
};

/// x + Branch(x).
template <class Branch>
using residual = sequence<fork<sequence<>, Branch>, join<sequence<>, sequence<>>>;

}  // namespace heddle::inline HEDDLE_ABI
