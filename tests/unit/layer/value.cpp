// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/value.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("borrow: mutable activations become read-only, everything else stays what it is") {
  float data[2] = {1, 2};
  activation<float> const mine{{data, extents<tokens, hidden>{1, 2}}, 8};
  auto const lent = borrow(mine);
  static_assert(std::is_same_v<decltype(lent), activation<float const> const>);
  CHECK(lent.data.data() == data);
  CHECK(lent.full_hidden == 8);
  static_assert(std::is_same_v<decltype(borrow(lent)), activation<float const>>);
  static_assert(std::is_same_v<decltype(borrow(gates<>{})), gates<>>);
  static_assert(std::is_same_v<decltype(borrow(token_ids<>{})), token_ids<>>);
}

TEST_CASE("values are views: copied freely, empty by default") {
  static_assert(std::is_trivially_copyable_v<activation<bf16>> && std::is_trivially_copyable_v<weighted_copies<float>>);
  CHECK(activation<float>{}.data.count() == 0);
  CHECK(activation<float>{}.full_hidden == 0);
  CHECK(row_gates<>{}.weights.data() == nullptr);
}
