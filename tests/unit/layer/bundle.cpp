// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/bundle.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("bundle: one value, a pair, and a tuple that stays one entry") {
  static_assert(std::same_as<decltype(detail::bundled(3)), std::tuple<int>>);
  CHECK(detail::bundled(std::pair{1, 2.5}) == std::tuple{1, 2.5});
  CHECK(std::get<0>(detail::single(std::tuple{1, 2})) == std::tuple{1, 2});
}

TEST_CASE("bundle: kept values are read only") {
  activation<float> const x{};
  static_assert(std::same_as<decltype(detail::borrowed(std::tuple{x, 3})), std::tuple<activation<float const>, int>>);
  static_assert(
      std::same_as<decltype(detail::keeping(detail::borrowed(std::tuple{x}))), kept<activation<float const>>>);
  CHECK(std::get<1>(detail::keeping(std::tuple{1, 2}).values) == 2);
}

TEST_CASE("bundle: another value at one place, of another type if need be") {
  CHECK(detail::with_port<1>(std::tuple{1, 2, 3}, 9) == std::tuple{1, 9, 3});
  static_assert(std::same_as<decltype(detail::with_port<0>(std::tuple{1, 2}, 'c')), std::tuple<char, int>>);
}
