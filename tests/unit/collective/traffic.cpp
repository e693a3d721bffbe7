// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/traffic.hpp>

#include <doctest/doctest.h>

using namespace heddle;

static_assert(broadcast_bytes(10, 4, 4, 1, 1) == 120 && broadcast_bytes(10, 4, 4, 0, 1) == 0);
static_assert(all_gather_bytes(5, 2, 4) == 30 && all_gather_bytes(5, 2, 1) == 0);
static_assert(reduce_scatter_bytes(10, 3, 4) == 28);
static_assert(all_to_all_bytes(10, 10, 4) == 0 && all_to_all_bytes(10, 4, 4) == 24);
static_assert(put_bytes(12, 1, 2) == 12 && put_bytes(12, 2, 2) == 0);
// 10 over 4 is 3, 3, 3, 1: rank 0 gives 7 away and its 3 sums to 3 others, rank 3 gives 9 and its 1 sum.
static_assert(all_reduce_bytes(10, 4, 4, 0) == 4 * (7 + 9) && all_reduce_bytes(10, 4, 4, 3) == 4 * (9 + 3));
static_assert(all_reduce_bytes(10, 4, 1, 0) == 0 && all_reduce_bytes(0, 4, 3, 2) == 0);

TEST_CASE("over all ranks an all_reduce moves 2 (n - 1) times the data") {
  for (int parts = 1; parts <= 9; ++parts) {
    for (index_t count = 0; count <= 30; ++count) {
      index_t sum = 0;
      for (int rank = 0; rank < parts; ++rank) sum += all_reduce_bytes(count, 2, parts, rank);
      CHECK(sum == 2 * 2 * count * (parts - 1));
    }
  }
}

TEST_CASE("offsets beyond 2^31 do not wrap") { CHECK(all_gather_bytes(index_t{1} << 33, 4, 3) == (index_t{1} << 36)); }

TEST_CASE("the table keeps calls and bytes by kind") {
  traffic_table table;
  table.add(collective_kind::all_gather, 10);
  table.add(collective_kind::all_gather, 5);
  table.add(collective_kind::barrier, 0);
  CHECK(table[collective_kind::all_gather] == traffic{2, 15});
  CHECK(table[collective_kind::barrier] == traffic{1, 0});
  CHECK(table[collective_kind::split] == traffic{});
  CHECK(table.bytes() == 15);
  CHECK(name_of(collective_kind::agree) == "agree");
  CHECK(name_of(collective_kind::barrier) == "barrier");
  CHECK(name_of(collective_kind::symmetric) == "symmetric");
  CHECK(name_of(collective_kind::put) == "put");
  CHECK(name_of(collective_kind::fence) == "fence");
  table.add(collective_kind::fence, 0);  // the last one has a record, too
  CHECK(table[collective_kind::fence] == traffic{1, 0});
}
