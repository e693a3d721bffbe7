// SPDX-License-Identifier: Apache-2.0
// Two grids over the same ranks: the dense layers see tp x dp, the experts see etp x ep x edp. Grids may have more
// groups, cp and pp among them, and groups in common.
#pragma once

#include <heddle/mesh/mesh.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The grid of the dense layers, tp fastest.
using dense_mesh = mesh<tp, dp>;
/// The grid of the experts, etp fastest.
using expert_mesh = mesh<etp, ep, edp>;

namespace detail {

/// Why two grids do not number the same ranks, or nothing.
enum class folding_fault { none, world, size, order };

/// What `Group`, which stands in both grids, means in them.
template <class Group, class Dense, class Expert>
constexpr folding_fault shared_fault(Dense const& dense, Expert const& expert) {
  if constexpr (Expert::template has<Group>) {
    if (dense.template size<Group>() != expert.template size<Group>()) return folding_fault::size;
    // Equal sizes and equal strides are the same ranks, whatever stands between.
    if (dense.template size<Group>() > 1 && dense.template stride<Group>() != expert.template stride<Group>())
      return folding_fault::order;
  }
  return folding_fault::none;
}
template <class... Groups, class Expert>
constexpr folding_fault fault_of(mesh<Groups...> const& dense, Expert const& expert) {
  if (dense.world() != expert.world()) return folding_fault::world;
  folding_fault fault = folding_fault::none;
  ((fault = fault == folding_fault::none ? shared_fault<Groups>(dense, expert) : fault), ...);
  return fault;
}

}  // namespace detail

/// A dense mesh and an expert mesh of one world size. Throws `error_kind::shape` where the products differ, or where a
/// group that stands in both (pp, replica) would mean other ranks in one grid than in the other.
template <class Dense = dense_mesh, class Expert = expert_mesh>
class folding {
 public:
  using dense_type = Dense;
  using expert_type = Expert;

  constexpr folding() = default;
  /// Throws `error_kind::shape` where the two grids do not fold, as said above.
  constexpr folding(Dense dense, Expert expert) : dense_{dense}, expert_{expert} {
    if (dense.world() != expert.world()) {
      throw error(error_kind::shape,
                  "the dense grid has " + std::to_string(dense.world()) + " ranks and the expert grid " +
                      std::to_string(expert.world()),
                  "choose sizes whose products are equal");
    }
    check_shared(typename Dense::groups{});
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
  template <class... Groups>
  constexpr void check_shared(type_list<Groups...>) const {
    (check_one<Groups>(), ...);
  }
  template <class Group>
  constexpr void check_one() const {
    if constexpr (Expert::template has<Group>) {
      detail::folding_fault const fault = detail::shared_fault<Group>(dense_, expert_);
      if (fault == detail::folding_fault::size) {
        throw error(error_kind::shape,
                    std::string{Group::name.view()} + " has " + std::to_string(dense_.template size<Group>()) +
                        " ranks in the dense grid and " + std::to_string(expert_.template size<Group>()) +
                        " in the expert grid",
                    "give both grids the same " + std::string{Group::name.view()});
      }
      if (fault == detail::folding_fault::order) {
        throw error(error_kind::shape,
                    std::string{Group::name.view()} + " is every " + std::to_string(dense_.template stride<Group>()) +
                        "th rank in the dense grid and every " + std::to_string(expert_.template stride<Group>()) +
                        "th in the expert grid",
                    "name the groups that both grids have last and in one order, so that they are outermost");
      }
    }
  }

  Dense dense_{};
  Expert expert_{};
};

/// The same for meshes that are constants: what does not fold does not compile.
/// `constexpr mesh<tp, dp> dense{2, 4}; constexpr mesh<etp, ep, edp> expert{1, 4, 2};
/// constexpr auto grid = fold<dense, expert>();`
template <auto const& Dense, auto const& Expert>
[[nodiscard]] consteval auto fold() {
  constexpr detail::folding_fault fault = detail::fault_of(Dense, Expert);
  static_assert(
      fault != detail::folding_fault::world,
      "[heddle.folding.world] the two grids have different numbers of ranks. Fix: choose sizes whose products "
      "are equal, tp*cp*dp = etp*ep*edp.");
  static_assert(fault != detail::folding_fault::size,
                "[heddle.folding.size] a group that both grids have is larger in one of them. Fix: give both grids the "
                "same pp (and replica).");
  static_assert(fault != detail::folding_fault::order,
                "[heddle.folding.order] a group that both grids have would be other ranks in one than in the other. "
                "Fix: name the common groups last in both grids, in one order: mesh<tp, dp, pp>, mesh<etp, ep, edp, "
                "pp>.");
  if constexpr (fault == detail::folding_fault::none) {
    return folding<std::remove_cvref_t<decltype(Dense)>, std::remove_cvref_t<decltype(Expert)>>{Dense, Expert};
  }
}

}  // namespace heddle::inline HEDDLE_ABI
