// SPDX-License-Identifier: Apache-2.0
// A mesh is a product of groups. The first group named varies fastest with the rank, as tp does in Megatron's order
// tp-cp-ep-dp-pp: rank = tp + TP*(cp + CP*(dp + ...)). A mesh is a value usable at compile time:
// `constexpr mesh<tp, dp> grid{2, 4}; static_assert(grid.size<dp>() == 4);`
#pragma once

#include <array>
#include <concepts>
#include <heddle/core/error.hpp>
#include <heddle/core/type_list.hpp>
#include <heddle/mesh/group.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The ranks that differ only in some groups of a mesh: member `i` has index `i` in the group (first group fastest).
template <std::size_t Axes>
struct rank_list {
  int first = 0;  ///< the member whose coordinates are zero
  std::array<int, Axes> sizes{};
  std::array<int, Axes> strides{};

  /// The number of ranks.
  [[nodiscard]] constexpr int size() const {
    int product = 1;
    for (int size : sizes) product *= size;
    return product;
  }
  /// The rank of member `member`, 0 <= member < size().
  [[nodiscard]] constexpr int operator[](int member) const {
    int rank = first;
    for (std::size_t a = 0; a < Axes; ++a) {
      rank += member % sizes[a] * strides[a];
      member /= sizes[a];
    }
    return rank;
  }
};

/// The grid of ranks: which group each rank is in, and where. Each group stands once, with its size.
template <class... Groups>
class mesh {
 public:
  using groups = type_list<Groups...>;
  static_assert((std::size_t{0} + ... + index_of_v<Groups, groups>)*2 ==
                    sizeof...(Groups) * (sizeof...(Groups) - (sizeof...(Groups) > 0)),
                "[heddle.mesh.twice] a group stands twice in one mesh. Fix: name each group once.");

  /// Whether the mesh has `Group`, or every member of a `joint` group.
  template <class Group>
  static constexpr bool has = []<class... Members>(type_list<Members...>) {
    return (contains_v<Members, groups> && ...);
  }(members_of_t<Group>{});

  /// Every group of size one.
  constexpr mesh() { sizes_.fill(1); }
  /// One size a group, in the order of the template arguments. Throws `error_kind::shape` on a size below one.
  template <std::same_as<int>... Sizes>
    requires(sizeof...(Sizes) == sizeof...(Groups) && sizeof...(Groups) > 0)
  constexpr explicit mesh(Sizes... sizes) : sizes_{sizes...} {
    long long ranks = 1;
    for (int size : sizes_) {
      if (size < 1)
        throw error(error_kind::shape, "a group of the mesh has size " + std::to_string(size),
                    "use sizes of at least 1");
      ranks *= size;
      if (ranks > __INT_MAX__)
        throw error(error_kind::shape, "the mesh has more ranks than an int can count", "use smaller sizes");
    }
  }

  /// The number of ranks: the product of the sizes.
  [[nodiscard]] constexpr int world() const {
    int product = 1;
    for (int size : sizes_) product *= size;
    return product;
  }
  /// The size of `Group`, which may be a `joint` one; 1 for a group this mesh does not have.
  template <class Group>
  [[nodiscard]] constexpr int size() const {
    if constexpr (contains_v<Group, groups>) return sizes_[index_of_v<Group, groups>];
    else if constexpr (std::same_as<members_of_t<Group>, type_list<Group>>) return 1;
    else return size_of(members_of_t<Group>{});
  }
  /// How far apart in rank two neighbours in `Group` are.
  template <class Group>
  [[nodiscard]] constexpr int stride() const {
    int product = 1;
    for (std::size_t i = 0; i != index_of_v<Group, groups>; ++i) product *= sizes_[i];
    return product;
  }
  /// The index of `rank` in its `Group`, which may be a `joint` one; 0 for a group this mesh does not have.
  template <class Group>
  [[nodiscard]] constexpr int coordinate(int rank) const {
    if constexpr (contains_v<Group, groups>) return rank / stride<Group>() % size<Group>();
    else if constexpr (std::same_as<members_of_t<Group>, type_list<Group>>) return 0;
    else return coordinate_of(rank, members_of_t<Group>{});
  }
  /// The ranks that share with `rank` every coordinate except those of `Members`.
  template <class... Members>
  [[nodiscard]] constexpr rank_list<sizeof...(Members)> members(int rank) const {
    static_assert((contains_v<Members, groups> && ...),
                  "[heddle.mesh.group] the mesh has no such group. Fix: add the group to the mesh.");
    int const offset = (0 + ... + (coordinate<Members>(rank) * stride<Members>()));
    return {rank - offset, {size<Members>()...}, {stride<Members>()...}};
  }
  friend constexpr bool operator==(mesh const&, mesh const&) = default;

 private:
  template <class... Members>
  [[nodiscard]] constexpr int size_of(type_list<Members...>) const {
    return (1 * ... * size<Members>());
  }
  template <class... Members>
  [[nodiscard]] constexpr int coordinate_of(int rank, type_list<Members...>) const {
    int index = 0;
    int stride = 1;
    ((index += stride * coordinate<Members>(rank), stride *= size<Members>()), ...);
    return index;
  }

  std::array<int, sizeof...(Groups)> sizes_{};
};

}  // namespace heddle::inline HEDDLE_ABI
