// SPDX-License-Identifier: Apache-2.0
// Two grids over the same ranks: the dense layers see tp x dp, the experts see etp x ep x edp.
#pragma once

#include <heddle/mesh/mesh.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The grid of the dense layers, tp fastest.
using dense_mesh = mesh<tp, dp>;
/// The grid of the experts, etp fastest.
using expert_mesh = mesh<etp, ep, edp>;

/// A dense mesh and an expert mesh of one world size. Throws `error_kind::shape` where the products differ or where a
/// pipeline stage would mean other ranks in one grid than in the other.
template <class Dense = dense_mesh, class Expert = expert_mesh>
class folding {
 public:
  constexpr folding() = default;
  /// Throws `error_kind::shape` where the two grids do not fold, as said above.
  constexpr folding(Dense dense, Expert expert) : dense_{dense}, expert_{expert} {
    if (dense.world() != expert.world()) {
      throw error(error_kind::shape,
                  "the dense grid has " + std::to_string(dense.world()) + " ranks and the expert grid " +
                      std::to_string(expert.world()),
                  "choose sizes whose products are equal");
    }
    if (dense.template size<pp>() != expert.template size<pp>()) {
      throw error(error_kind::shape,
                  "the dense grid has " + std::to_string(dense.template size<pp>()) +
                      " pipeline stages and the expert grid " + std::to_string(expert.template size<pp>()),
                  "give both grids the same pp, outermost");
    }
    if (dense.template size<pp>() > 1 && dense.template stride<pp>() != expert.template stride<pp>()) {
      throw error(error_kind::shape,
                  "a pipeline stage is every " + std::to_string(dense.template stride<pp>()) +
                      "th rank in the dense grid and every " + std::to_string(expert.template stride<pp>()) +
                      "th in the expert grid",
                  "name pp last in both grids, so that it is outermost");
    }
  }

  /// The grid that dense layers see.
  [[nodiscard]] constexpr Dense const& dense() const { return dense_; }
  /// The grid that experts see.
  [[nodiscard]] constexpr Expert const& expert() const { return expert_; }
  /// The number of ranks, the same in both grids.
  [[nodiscard]] constexpr int world() const { return dense_.world(); }
  /// The size of a group of either grid, or of a `joint` of groups of one of them.
  template <class Group>
  [[nodiscard]] constexpr int size() const {
    if constexpr (Dense::template has<Group>) return dense_.template size<Group>();
    else return expert_.template size<Group>();
  }
  /// The index of `rank` in a group of either grid, or in a `joint` of groups of one of them.
  template <class Group>
  [[nodiscard]] constexpr int coordinate(int rank) const {
    if constexpr (Dense::template has<Group>) return dense_.template coordinate<Group>(rank);
    else return expert_.template coordinate<Group>(rank);
  }

 private:
  Dense dense_{};
  Expert expert_{};
};

}  // namespace heddle::inline HEDDLE_ABI
