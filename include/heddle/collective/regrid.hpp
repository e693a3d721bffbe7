// SPDX-License-Identifier: Apache-2.0
// From the dense grid to the expert grid over the same ranks, and back. Tokens that the dense grid replicates over tp
// are split over it, so that each token enters dispatch once; tokens that are already sharded only change their label.
#pragma once

#include <heddle/mesh/folding.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class... Groups>
inline constexpr bool innermost_first = true;
template <class Inner, class Outer, class... Rest>
inline constexpr bool innermost_first<Inner, Outer, Rest...> =
    outside_v<Outer, Inner>&& innermost_first<Outer, Rest...>;
template <class Mesh>
inline constexpr bool canonical_order = false;
template <class... Groups>
inline constexpr bool canonical_order<mesh<Groups...>> = innermost_first<Groups...>;

// Every group of a grid cuts tokens, except tp where `TensorParallel` says so. A group that the other grid has too (pp)
// means the same ranks in both and is not touched.
template <class Mesh, class Other, class TensorParallel>
struct grid_tokens;
template <class... Groups, class Other, class TensorParallel>
struct grid_tokens<mesh<Groups...>, Other, TensorParallel> {
  template <class Group>
  using state = std::conditional_t<std::same_as<Group, tp>, TensorParallel, sharded<tokens, as_given>>;
  template <class Group, class State>
  using entry = std::conditional_t<contains_v<Group, typename Other::groups>, placement<>, placement<on<Group, State>>>;
  using seen = concat_t<placement<>, entry<Groups, state<Groups>>...>;
  using unseen = concat_t<placement<>, entry<Groups, folded>...>;
};

template <class Dense, class Expert, class TensorParallel>
struct regrid_ports {
  static_assert(
      canonical_order<Dense> && canonical_order<Expert>,
      "[heddle.regrid.order] the groups of a mesh stand in another order than the canonical one, so a rank would hold "
      "other "
      "tokens in one grid than in the other. Fix: list the groups innermost first: mesh<tp, dp>, mesh<etp, ep, edp>.");
  using dense = grid_tokens<Dense, Expert, TensorParallel>;
  using expert = grid_tokens<Expert, Dense, sharded<tokens, as_given>>;
  using outside = concat_t<typename dense::seen, typename expert::unseen>;
  using inside = concat_t<typename dense::unseen, typename expert::seen>;
};

}  // namespace detail

template <class Dense = dense_mesh, class Expert = expert_mesh, class TensorParallel = replicated>
struct regrid;
template <class Dense = dense_mesh, class Expert = expert_mesh, class TensorParallel = replicated>
struct regrid_back;

/// Tokens of the dense grid -> tokens sharded over all ranks of the expert grid.
template <class Dense, class Expert, class TensorParallel>
struct regrid : operation_base<"regrid", typename detail::regrid_ports<Dense, Expert, TensorParallel>::outside,
                               typename detail::regrid_ports<Dense, Expert, TensorParallel>::inside,
                               regrid_back<Dense, Expert, TensorParallel>> {
  /// Whether tokens are replicated over tp outside and so are split on the way in.
  static constexpr bool splits = std::same_as<TensorParallel, replicated>;
};

/// The way back: an unsplit over tp where `regrid` split.
template <class Dense, class Expert, class TensorParallel>
struct regrid_back : operation_base<"regrid_back", typename detail::regrid_ports<Dense, Expert, TensorParallel>::inside,
                                    typename detail::regrid_ports<Dense, Expert, TensorParallel>::outside,
                                    regrid<Dense, Expert, TensorParallel>> {
  static constexpr bool communicates = true;
  static constexpr bool splits = std::same_as<TensorParallel, replicated>;
};

}  // namespace heddle::inline HEDDLE_ABI
