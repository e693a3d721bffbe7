// SPDX-License-Identifier: Apache-2.0
#include <heddle/tensor/extents.hpp>

#include <doctest/doctest.h>
#include <type_traits>

using namespace heddle;

TEST_CASE("extents: fixed axes cost no storage, dynamic ones are numbers in order") {
  using mixed = extents<tokens, fixed<hidden, 2048>, slots>;
  static_assert(mixed::rank == 3 && mixed::rank_dynamic == 2);
  static_assert(sizeof(mixed) == 2 * sizeof(index_t));
  static_assert(std::is_empty_v<extents<fixed<hidden, 2>>> || sizeof(extents<fixed<hidden, 2>>) <= sizeof(index_t));
  constexpr mixed shape{3, 8};
  static_assert(shape.size<tokens>() == 3 && shape.size<hidden>() == 2048 && shape.size<slots>() == 8);
  static_assert(shape[0] == 3 && shape[1] == 2048 && shape[2] == 8);
  static_assert(shape.count() == 3 * 2048 * 8);
}

TEST_CASE("extents: as many sizes as dynamic axes, no more and no fewer") {
  using mixed = extents<tokens, fixed<hidden, 2048>>;
  static_assert(std::is_constructible_v<mixed, int>);
  static_assert(!std::is_constructible_v<mixed, int, int>);
  static_assert(!std::is_constructible_v<mixed, char const*>);
  static_assert(!std::is_convertible_v<int, mixed>);
  static_assert(mixed{}.size<tokens>() == 0);
}

TEST_CASE("extents: no axes is one element, an axis of size zero is none, products are 64-bit") {
  static_assert(extents<>{}.count() == 1);
  static_assert(extents<fixed<experts, 4>, tokens>{0}.count() == 0);
  static_assert(extents<tokens, fixed<hidden, 1 << 20>>{1 << 20}.count() == index_t{1} << 40);
}

TEST_CASE("extents: equal sizes are equal") {
  using shape = extents<tokens, hidden>;
  static_assert(shape{2, 3} == shape{2, 3} && shape{2, 3} != shape{3, 2});
}
