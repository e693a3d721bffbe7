// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/shards.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

using halves_of_rows = sharded<out_features, segmented<ceil_chunk, 1, 1>>;
using pairs_of_rows = sharded<out_features, units<ceil_chunk, 2>>;

}  // namespace

TEST_CASE("by_rows: rows of what is not cut, and of what is cut by rows or columns") {
  using rows_of = by_rows<>;
  static_assert(std::same_as<rows_of::state<placement<>>, sharded<out_features>>);
  static_assert(std::same_as<rows_of::state<placement<on<tp, sharded<in_features>>>>, sharded<out_features>>);
  static_assert(std::same_as<rows_of::state<placement<on<tp, sharded<out_features, balanced>>>>,
                             sharded<out_features, balanced>>);
  static_assert(std::same_as<rows_of::state<placement<on<tp, replicated>>>, sharded<out_features>>);
  static_assert(std::same_as<by_rows<balanced>::state<placement<>>, sharded<out_features, balanced>>);
}

TEST_CASE("by_rows: packed rows by the rule that packs them, beside a cut of experts too") {
  static_assert(std::same_as<by_rows<>::state<placement<on<tp, halves_of_rows>>>, halves_of_rows>);
  static_assert(std::same_as<by_rows<>::state<placement<on<tp, pairs_of_rows>>>, pairs_of_rows>);
  using fc1 = placement<on<ep, sharded<experts>>, on<etp, halves_of_rows>>;
  static_assert(std::same_as<by_rows_of_experts::state<fc1>, halves_of_rows>);
}

TEST_CASE("by_rows: words of an embedding table, however it is cut") {
  static_assert(std::same_as<by_rows<>::state<placement<on<tp, sharded<vocab>>>>, sharded<vocab>>);
  static_assert(std::same_as<by_rows<>::state<placement<on<tp, sharded<hidden>>>>, sharded<vocab>>);
}

TEST_CASE("by_experts: experts by the rule of ep") {
  using fc1 = placement<on<ep, sharded<experts, balanced>>, on<etp, halves_of_rows>>;
  static_assert(std::same_as<by_experts::state<fc1>, sharded<experts, balanced>>);
  static_assert(std::same_as<by_experts::state<placement<>>, sharded<experts>>);
}

TEST_CASE("axis 1 where there are more ranks than experts") {
  static_assert(!shares_rows_of_experts(8, 4, 2) && shares_rows_of_experts(8, 4, 3) && shares_rows_of_experts(7, 4, 2));
}
