// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/fixed_string.hpp>

#include <doctest/doctest.h>

namespace {

template <heddle::fixed_string Name>
struct named {
  static constexpr auto name = Name;
};

}  // namespace

TEST_CASE("fixed_string: equal texts make one type, and the terminator is not part of the text") {
  static_assert(std::is_same_v<named<"tp">, named<"tp">>);
  static_assert(!std::is_same_v<named<"tp">, named<"dp">>);
  static_assert(!std::is_same_v<named<"tp">, named<"tp ">>);
  CHECK(named<"tp">::name.view() == "tp");
  CHECK(named<"">::name.view().empty());
}
