// SPDX-License-Identifier: Apache-2.0
// A non-owning, dense, row-major tensor: pointer, extents, and the memory it lives in.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/tensor/extents.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {

/// Marks views of memory the CPU reads.
struct host_memory {};
/// Marks views of memory a GPU reads; the host must not dereference them.
struct device_memory {};

/// A tensor somebody else owns: a pointer and its shape. Copies are cheap and share the elements; `Element` is const
/// for a view that only reads. Indices are not checked.
template <class Element, class Extents, class Memory = host_memory>
class view {
 public:
  using element_type = Element;
  using value_type = std::remove_const_t<Element>;
  using extents_type = Extents;
  using memory = Memory;

  constexpr view() = default;
  /// `data` holds `extents.count()` elements, row-major, and outlives the view.
  HEDDLE_HOST_DEVICE constexpr view(Element* data, Extents extents) : data_{data}, extents_{extents} {}
  /// A mutable view reads as a constant one.
  template <class Other>
    requires(std::is_same_v<Other const, Element> && !std::is_const_v<Other>)
  HEDDLE_HOST_DEVICE constexpr view(view<Other, Extents, Memory> other)
      : data_{other.data()}, extents_{other.shape()} {}

  /// The first element.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Element* data() const { return data_; }
  /// All sizes.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Extents const& shape() const { return extents_; }
  /// The number of elements.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t count() const { return extents_.count(); }
  /// The size of a named axis.
  template <class Axis>
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t size() const {
    return extents_.template size<Axis>();
  }

  /// Element (i, j, ...): one index a dimension.
  template <class... Indices>
    requires(sizeof...(Indices) == Extents::rank)
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Element& operator()(Indices... indices) const {
    index_t offset = 0;
    std::size_t dimension = 0;
    ((offset = offset * extents_[dimension++] + static_cast<index_t>(indices)), ...);
    return data_[offset];
  }
  /// The first element of slice `i` of the leading axis.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Element* row(index_t i) const { return data_ + i * row_size(); }
  /// Elements in one slice of the leading axis.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t row_size() const {
    index_t product = 1;
    for (std::size_t d = 1; d < Extents::rank; ++d) product *= extents_[d];
    return product;
  }

 private:
  Element* data_ = nullptr;
  Extents extents_{};
};

/// Activations: [tokens, hidden].
template <class Element, class Memory = host_memory>
using rows = view<Element, extents<tokens, hidden>, Memory>;
/// A weight: [out_features, in_features], as Hugging Face stores a linear layer.
template <class Element, class Memory = host_memory>
using matrix = view<Element, extents<out_features, in_features>, Memory>;
/// Expert weights: [experts, out_features, in_features].
template <class Element, class Memory = host_memory>
using matrices = view<Element, extents<experts, out_features, in_features>, Memory>;
/// A bias or a norm weight.
template <class Element, class Memory = host_memory>
using vector_view = view<Element, extents<hidden>, Memory>;
/// One number for each (token, slot): routing weights and expert ids.
template <class Element, class Memory = host_memory>
using slot_view = view<Element, extents<tokens, slots>, Memory>;

}  // namespace heddle::inline HEDDLE_ABI
