// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/type_list.hpp>

#include <doctest/doctest.h>
#include <tuple>

using namespace heddle;

namespace {

template <int N>
struct item {};
template <class... Types>
using list = type_list<Types...>;

}  // namespace

TEST_CASE("concat_t: joins lists of one template in order, by twos and by eights") {
  static_assert(std::same_as<concat_t<list<>>, list<>>);
  static_assert(std::same_as<concat_t<list<int>, list<>, list<char, int>>, list<int, char, int>>);
  static_assert(std::same_as<concat_t<std::tuple<int>, std::tuple<char>>, std::tuple<int, char>>);
  using one = list<item<0>>;
  using two = list<item<1>, item<2>>;
  using nothing = list<>;
  static_assert(std::same_as<concat_t<one, two, nothing, one, two, one, nothing, two>,
                             list<item<0>, item<1>, item<2>, item<0>, item<1>, item<2>, item<0>, item<1>, item<2>>>);
  static_assert(
      std::same_as<concat_t<one, one, one, one, one, one, one, one, two>,
                   list<item<0>, item<0>, item<0>, item<0>, item<0>, item<0>, item<0>, item<0>, item<1>, item<2>>>);
  static_assert(concat_t<two, two, two, two, two, two, two, two, two, two, two, two, two, two, two, two, two>::size ==
                34);
}

TEST_CASE("contains_v and index_of_v: the first place of a type, the size for a stranger") {
  static_assert(contains_v<char, list<int, char>> && !contains_v<long, list<int, char>> && !contains_v<int, list<>>);
  static_assert(index_of_v<int, list<int, char, int>> == 0);
  static_assert(index_of_v<char, list<int, char, char>> == 1);
  static_assert(index_of_v<long, list<int, char>> == 2);
  static_assert(index_of_v<long, list<>> == 0);
}
