// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/embedding.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("embed: lawful for rows and columns of the table, trained, and not linear in the ids") {
  using ids = placement<on<tp, replicated>>;
  using by_rows = embed<ids, placement<on<tp, partial>>, placement<on<tp, sharded<vocab>>>>;
  using by_columns = embed<ids, placement<on<tp, sharded<hidden>>>, placement<on<tp, sharded<hidden>>>>;
  static_assert(obeys_law<by_rows> && obeys_law<by_columns> && obeys_law<conjugate_t<by_rows>>);
  static_assert(parameterised<by_rows> && !parameterised<conjugate_t<by_rows>> && !by_rows::linear);
  static_assert(std::same_as<conjugate_t<by_rows>::from, placement<on<tp, varying>>>);
  CHECK(describe<by_rows>() == "embedding");
  CHECK(describe<conjugate_t<by_rows>>() == "embedding_grad");
}
