// SPDX-License-Identifier: Apache-2.0
// One communicator a group of a mesh, split from the world.
#pragma once

#include <heddle/concepts/communicator.hpp>
#include <heddle/mesh/folding.hpp>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// The communicators of one rank, one for each of `Groups`, which may be `joint` ones; what an execution asks for by
/// group.
template <communicator Communicator, class... Groups>
class mesh_groups {
 public:
  using groups = type_list<Groups...>;

  /// Collective over `world`. `grid` is a mesh or a folding that has every group. Throws `shape` where its size is not
  /// the world's.
  template <class Grid>
  mesh_groups(Communicator& world, Grid const& grid) {
    if (grid.world() != world.size()) {
      throw error(
          error_kind::shape,
          "the mesh has " + std::to_string(grid.world()) + " ranks and the world " + std::to_string(world.size()),
          "choose sizes whose product is the number of ranks", world.rank());
    }
    communicators_.reserve(sizeof...(Groups));
    (add<Groups>(world, grid), ...);
  }

  /// The communicator of `Group`; it stays where it is while this object lives.
  template <class Group>
  [[nodiscard]] Communicator& get() {
    static_assert(
        contains_v<Group, groups>,
        "[heddle.groups.missing] the layer names a group that has no communicator. Fix: add the group to mesh_groups.");
    return communicators_[index_of_v<Group, groups>];
  }

 private:
  template <class Group, class... Members>
  void add(Communicator& world, mesh<Members...> const& grid) {
    int const first = [&]<class... Parts>(type_list<Parts...>) {
      return grid.template members<Parts...>(world.rank()).first;
    }(members_of_t<Group>{});
    communicators_.push_back(world.split(first, grid.template coordinate<Group>(world.rank())));
  }
  template <class Group, class Dense, class Expert>
  void add(Communicator& world, folding<Dense, Expert> const& grid) {
    if constexpr (Dense::template has<Group>) add<Group>(world, grid.dense());
    else add<Group>(world, grid.expert());
  }

  std::vector<Communicator> communicators_;
};

}  // namespace heddle::inline HEDDLE_ABI
