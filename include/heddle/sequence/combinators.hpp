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

/// x + Branch(x).
template <class Branch>
using residual = sequence<fork<sequence<>, Branch>, join<sequence<>, sequence<>>>;

}  // namespace heddle::inline HEDDLE_ABI
