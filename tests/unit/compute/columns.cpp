// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/columns.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("slice and concat: one value into two parts and back, lawful on any placement") {
  using differently = placement<on<tp, varying>>;
  static_assert(obeys_law<slice<>> && obeys_law<concat_columns<>>);
  static_assert(obeys_law<slice<differently>> && obeys_law<concat_columns<differently>>);
  static_assert(slice<>::to::count == 2 && concat_columns<>::from::count == 2);
  static_assert(std::same_as<conjugate_t<slice<differently>>::to, placement<on<tp, partial>>>);
  static_assert(std::same_as<sequence<slice<>, concat_columns<>>::to, placement<>>);
  CHECK(describe<sequence<slice<>, concat_columns<>>>() == "slice concat");
}
