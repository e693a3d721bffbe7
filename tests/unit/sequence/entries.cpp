// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/entries.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

TEST_CASE("unique_t: first occurrences, in order, also of long lists") {
  using detail::unique_t;
  static_assert(std::same_as<unique_t<type_list<>>, type_list<>>);
  static_assert(std::same_as<unique_t<type_list<int, char, int, int, long, char>>, type_list<int, char, long>>);
  using eight = type_list<int, char, int, char, int, char, int, char>;
  using many = concat_t<eight, eight, eight, eight, eight, eight, eight, eight>;
  using more = concat_t<many, many, many, many, many, many>;
  static_assert(more::size == 384);
  static_assert(std::same_as<unique_t<more>, type_list<int, char>>);
}

TEST_CASE("element_t: the type at an index, void before the first") {
  using list = type_list<int, char, long>;
  static_assert(std::same_as<detail::element_t<list, 0>, int> && std::same_as<detail::element_t<list, 2>, long>);
  static_assert(std::same_as<detail::element_t<list, -1>, void>);
}

TEST_CASE("mentions: what operations name, through every combinator") {
  using seen = detail::mentions<sequence<fork<sequence<copy<tp>>, sequence<>>, on_port<0, sequence<all_reduce<dp>>>,
                                         each<sequence<copy<tp>>>>>::type;
  static_assert(
      std::same_as<seen, type_list<on<tp, replicated>, on<tp, varying>, on<dp, partial>, on<dp, replicated>>>);
  static_assert(detail::group_count(seen{}) == 2);
}

TEST_CASE("map_of: a placement as indices into the list") {
  using universe = type_list<on<tp, varying>, on<dp, sharded<tokens>>>;
  constexpr auto map = detail::map_of<universe, placement<on<tp, varying>, on<dp, sharded<tokens>>>>::value;
  static_assert(map.count == 2 && map.entries[0].type_index == 1 && map.entries[1].type_index == 0);
}
