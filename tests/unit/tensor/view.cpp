// SPDX-License-Identifier: Apache-2.0
#include <heddle/tensor/view.hpp>

#include <array>
#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("view: dense and row-major, indexed by one number an axis") {
  std::array<int, 24> data{};
  for (int i = 0; i < 24; ++i) data[static_cast<std::size_t>(i)] = i;
  view<int, extents<experts, fixed<out_features, 3>, in_features>> const all{
      data.data(), extents<experts, fixed<out_features, 3>, in_features>{2, 4}};
  CHECK(all.count() == 24);
  CHECK(all.row_size() == 12);
  CHECK(all(0, 0, 0) == 0);
  CHECK(all(1, 2, 3) == 23);
  CHECK(all(1, 0, 1) == 13);
  CHECK(all.row(1) == data.data() + 12);
  CHECK(all.size<in_features>() == 4);
  all(1, 0, 1) = -1;
  CHECK(data[13] == -1);
}

TEST_CASE("view: a mutable view reads as a constant one, never the other way, and memory spaces do not mix") {
  static_assert(std::is_convertible_v<rows<float>, rows<float const>>);
  static_assert(!std::is_convertible_v<rows<float const>, rows<float>>);
  static_assert(!std::is_convertible_v<rows<float>, rows<double const>>);
  static_assert(!std::is_convertible_v<rows<float, device_memory>, rows<float const, host_memory>>);
  static_assert(!std::is_convertible_v<rows<float>, matrix<float const>>);
  float x = 2;
  rows<float> const one{&x, extents<tokens, hidden>{1, 1}};
  rows<float const> const same = one;
  CHECK(same.data() == &x);
  CHECK(same(0, 0) == 2);
}

TEST_CASE("view: an empty one has no data, a vector's slices are its elements") {
  constexpr rows<float> none;
  static_assert(none.data() == nullptr && none.count() == 0);
  std::array<double, 3> data{1, 2, 3};
  vector_view<double> const bias{data.data(), extents<hidden>{3}};
  CHECK(bias.row_size() == 1);
  CHECK(*bias.row(2) == 3);
  CHECK(bias(1) == 2);
}

TEST_CASE("view: offsets are 64-bit") {
  char byte = 0;
  index_t const height = index_t{1} << 20;
  rows<char> const tall{&byte, extents<tokens, hidden>{height, height}};
  CHECK(tall.row_size() * (height - 1) == (index_t{1} << 40) - height);
  CHECK(tall.count() == index_t{1} << 40);
}
