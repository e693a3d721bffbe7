// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/index_build.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

struct lists {
  lists(index_t count, index_t k, index_t experts, index_t capacity = -1)
      : row_to_token(static_cast<std::size_t>(capacity < 0 ? count * k : capacity), -9),
        row_to_slot(row_to_token),
        slot_to_row(static_cast<std::size_t>(count * k), -9),
        counts(static_cast<std::size_t>(experts), -9),
        order{row_to_token, row_to_slot, {slot_to_row.data(), extents<tokens, slots>{count, k}}, counts} {}
  std::vector<std::int32_t> row_to_token, row_to_slot, slot_to_row;
  std::vector<index_t> counts;
  host::expert_order order;
};

slot_view<std::int32_t const> slots_of(std::vector<std::int32_t> const& ids, index_t k) {
  return {ids.data(), extents<tokens, slots>{static_cast<index_t>(ids.size()) / (k == 0 ? 1 : k), k}};
}

error_kind kind_of(std::vector<std::int32_t> const& ids, index_t k, lists& out) {
  try {
    host::build_expert_order(slots_of(ids, k), out.order);
  } catch (error const& failure) {
    return failure.kind();
  }
  return error_kind::poisoned;
}

}  // namespace

TEST_CASE("index_build: rows by expert, then token; the three lists agree") {
  std::vector<std::int32_t> const ids{2, 0, 0, -1, 2, 3, -1, -1, 0, 2};
  lists out{5, 2, 5};
  CHECK(host::build_expert_order(slots_of(ids, 2), out.order) == 7);
  CHECK(out.counts == std::vector<index_t>{3, 0, 3, 1, 0});
  CHECK(out.row_to_token == std::vector<std::int32_t>{0, 1, 4, 0, 2, 4, 2, -9, -9, -9});
  CHECK(out.row_to_slot == std::vector<std::int32_t>{1, 0, 0, 0, 0, 1, 1, -9, -9, -9});
  CHECK(out.slot_to_row == std::vector<std::int32_t>{3, 0, 1, -1, 4, 6, -1, -1, 2, 5});
}

TEST_CASE("index_build: no tokens, no slots, no experts, one expert for all") {
  lists none{0, 2, 3};
  CHECK(host::build_expert_order(slots_of({}, 2), none.order) == 0);
  CHECK(none.counts == std::vector<index_t>{0, 0, 0});
  lists dropped{2, 1, 0};
  CHECK(host::build_expert_order(slots_of({-1, -1}, 1), dropped.order) == 0);
  lists all{3, 1, 4};
  CHECK(host::build_expert_order(slots_of({3, 3, 3}, 1), all.order) == 3);
  CHECK(all.counts == std::vector<index_t>{0, 0, 0, 3});
  CHECK(all.row_to_token == std::vector<std::int32_t>{0, 1, 2});
}

TEST_CASE("index_build: a bad id, view or list is refused and nothing is written") {
  lists out{2, 2, 3};
  lists const fresh = out;
  CHECK(kind_of({0, 1, 2, 3}, 2, out) == error_kind::argument);
  CHECK(kind_of({0, -2, 2, 1}, 2, out) == error_kind::argument);
  CHECK(kind_of({0, 1}, 2, out) == error_kind::shape);
  lists tight{2, 2, 3, 3};
  CHECK(kind_of({0, 1, 2, 2}, 2, tight) == error_kind::workspace);
  CHECK(kind_of({0, 1, -1, 2}, 2, tight) == error_kind::poisoned);
  CHECK(out.slot_to_row == fresh.slot_to_row);
  CHECK(out.counts == fresh.counts);
  CHECK(out.row_to_token == fresh.row_to_token);
}
