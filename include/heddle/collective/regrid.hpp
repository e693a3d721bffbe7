// SPDX-License-Identifier: Apache-2.0
// From the dense grid to the expert grid over the same ranks, and back. Tokens that the dense grid replicates over tp are
// split over it, so that each token enters dispatch once; tokens that are already sharded only change their label.
#pragma once

#include <heddle/mesh/folding.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Mesh>
inline constexpr bool canonical_order = false;
template <class... Groups>
inline constexpr bool canonical_order<mesh<Groups...>> = [] {
  int const nesting[] = {Groups::nesting...};
  for (std::size_t i = 1; i < sizeof...(Groups); ++i) {
    if (nesting[i] >= nesting[i - 1]) return false;
  }
  return true;
}();

// Every group of the dense grid cuts tokens, except tp where `Dense` says so.
template <class Mesh, class TensorParallel>
struct dense_tokens;
template <class... Groups, class TensorParallel>
struct dense_tokens<mesh<Groups...>, TensorParallel> {
  template <class Group>
  using state = std::conditional_t<std::same_as<Group, tp>, TensorParallel, sharded<tokens, as_given>>;
  using seen = placement<on<Groups, state<Groups>>...>;
  using unseen = placement<on<Groups, folded>...>;
};

template <class A, class B>
struct joined;
template <class... A, class... B>
struct joined<placement<A...>, placement<B...>> { using type = placement<A..., B...>; };

template <class Dense, class Expert, class TensorParallel>
struct regrid_ports {
  static_assert(canonical_order<Dense> && canonical_order<Expert>,
                "[heddle.regrid.order] the groups of a mesh stand in another order than the canonical one, so a rank would hold other "
                "tokens in one grid than in the other. Fix: list the groups innermost first: mesh<tp, dp>, mesh<etp, ep, edp>.");
  using dense = dense_tokens<Dense, TensorParallel>;
  using expert = dense_tokens<Expert, sharded<tokens, as_given>>;
  using outside = typename joined<typename dense::seen, typename expert::unseen>::type;
  using inside = typename joined<typename dense::unseen, typename expert::seen>::type;
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
  static constexpr bool splits = std::same_as<TensorParallel, replicated>;
};

}  // namespace heddle::inline HEDDLE_ABI
