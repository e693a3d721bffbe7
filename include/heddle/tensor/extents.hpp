// SPDX-License-Identifier: Apache-2.0
// The shape of a tensor by axis names: `extents<tokens, fixed<hidden, 2048>>`. A fixed axis costs no storage and is
// known at compile time; every other axis is a run-time number. Sizes and offsets are 64-bit.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <heddle/core/type_list.hpp>
#include <heddle/tensor/axis.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Sizes, offsets and counts of elements.
using index_t = std::int64_t;
/// Stands for a size that is known at run time only.
inline constexpr index_t dynamic = -1;

/// An axis whose size is part of the type.
template <class Axis, index_t Size>
struct fixed {};

/// The axis of a dimension and its size, `dynamic` unless the dimension is `fixed`.
template <class Dimension>
struct dimension_traits {
  using axis = Dimension;
  static constexpr index_t size = dynamic;
};
template <class Axis, index_t Size>
struct dimension_traits<fixed<Axis, Size>> {
  using axis = Axis;
  static constexpr index_t size = Size;
};

namespace detail {

/// The sizes that are not fixed. A plain array: the operators of std::array are functions of the host to nvcc.
template <std::size_t Count>
struct size_list {
  index_t sizes[Count] = {};
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t operator[](std::size_t i) const { return sizes[i]; }
  friend constexpr bool operator==(size_list const&, size_list const&) = default;
};
template <>
struct size_list<0> {
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t operator[](std::size_t) const { return 0; }
  friend constexpr bool operator==(size_list const&, size_list const&) = default;
};

}  // namespace detail

/// Sizes by axis name. Each dimension is an axis tag, or `fixed<axis, size>`; the order is that of storage, the last
/// axis being contiguous.
template <class... Dimensions>
class extents {
 public:
  using axes = type_list<typename dimension_traits<Dimensions>::axis...>;
  static constexpr std::size_t rank = sizeof...(Dimensions);
  static constexpr std::size_t rank_dynamic =
      (std::size_t{0} + ... + (dimension_traits<Dimensions>::size == dynamic ? 1 : 0));

  constexpr extents() = default;
  /// One size for each dimension that is not fixed, in order.
  template <std::convertible_to<index_t>... Sizes>
    requires(sizeof...(Sizes) == rank_dynamic && rank_dynamic > 0)
  HEDDLE_HOST_DEVICE constexpr explicit(rank_dynamic == 1) extents(Sizes... sizes)
      : sizes_{{static_cast<index_t>(sizes)...}} {}

  /// The size of dimension `i`.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t operator[](std::size_t i) const {
    std::size_t slot = 0;
    for (std::size_t d = 0; d < i; ++d) slot += static_size(d) == dynamic ? 1 : 0;
    return static_size(i) == dynamic ? sizes_[slot] : static_size(i);
  }
  /// The size of a named axis.
  template <class Axis>
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t size() const {
    static_assert(contains_v<Axis, axes>,
                  "[heddle.extents.axis] this tensor has no such axis. Fix: name one of its axes.");
    return (*this)[index_of_v<Axis, axes>];
  }
  /// The number of elements.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t count() const {
    index_t product = 1;
    for (std::size_t i = 0; i < rank; ++i) product *= (*this)[i];
    return product;
  }
  friend constexpr bool operator==(extents const&, extents const&) = default;

 private:
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t static_size(std::size_t i) {
    constexpr index_t table[rank + 1] = {dimension_traits<Dimensions>::size..., 0};
    return table[i];
  }
  detail::size_list<rank_dynamic> sizes_{};
};

}  // namespace heddle::inline HEDDLE_ABI
