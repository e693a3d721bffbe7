// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/order_pairs.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

using list = std::vector<std::int32_t>;

/// An execution on memory of the host by the name of a device's.
struct stand_in {
  std::vector<std::vector<index_t>> mutable pieces{};
  int mutable launches = 0;
  template <class Element>
  Element* allocate(index_t count) const {
    return pieces.emplace_back(static_cast<std::size_t>(count) + 1, -7).data();
  }
  template <class Kernel>
  void launch(Kernel const& kernel, index_t rows) const {
    ++launches;
    for (index_t row = 0; row < rows; ++row) kernel(serial_team{}, row);
  }
};
void none(std::span<std::int32_t> numbers) {
  for (std::int32_t& number : numbers) number = -1;
}

std::vector<index_t> read(per_row<index_t const, device_memory> x) { return {x.data(), x.data() + x.count()}; }

}  // namespace

TEST_CASE("pairs in the order of their experts, others without a row, and lists that end in rows of nobody") {
  stand_in const on;
  list const ids{4, 0, 2, 4, -1, 3, 2, 1};  // tokens with two slots; experts 2, 3 and 4 are asked for
  list row_to_token(9, 77), row_to_slot(8, 77), slot_to_row(8, 77);
  extents<tokens, slots> const pairs{4, 2};
  auto const rows =
      cuda::order_pairs(on, {ids.data(), pairs}, 2, 3, {row_to_token, row_to_slot, {slot_to_row.data(), pairs}}, none);
  CHECK(read(rows.visible()) == std::vector<index_t>{2, 1, 2});
  CHECK(read(rows.begins()) == std::vector<index_t>{0, 2, 3, 5});
  CHECK(rows.most() == 8);
  CHECK(!rows.known());
  CHECK(row_to_token == list{1, 3, 2, 0, 1, -1, -1, -1, -1});
  CHECK(row_to_slot == list{0, 0, 1, 0, 1, -1, -1, -1});
  CHECK(slot_to_row == list{3, -1, 0, 4, -1, 2, 1, -1});
  CHECK(cuda::begins_on(on, rows).data() == rows.begins().data());
}

TEST_CASE("many blocks of pairs are in the order of a stable sort") {
  stand_in const on;
  list ids;
  for (std::int32_t i = 0; i < 1500; ++i) ids.push_back(i * 7919 % 13 - 1);
  list row_to_token(ids.size()), row_to_slot(ids.size()), slot_to_row(ids.size());
  extents<tokens, slots> const pairs{500, 3};
  auto const rows =
      cuda::order_pairs(on, {ids.data(), pairs}, 0, 12, {row_to_token, row_to_slot, {slot_to_row.data(), pairs}}, none);
  list expected;
  for (std::int32_t expert = 0; expert < 12; ++expert)
    for (std::int32_t pair = 0; pair < 1500; ++pair)
      if (ids[static_cast<std::size_t>(pair)] == expert) expected.push_back(pair);
  int wrong = 0;
  for (std::size_t row = 0; row < expected.size(); ++row) {
    wrong += row_to_token[row] != expected[row] / 3 || row_to_slot[row] != expected[row] % 3;
    wrong += slot_to_row[static_cast<std::size_t>(expected[row])] != static_cast<std::int32_t>(row);
  }
  CHECK(wrong == 0);
  CHECK(read(rows.begins()).back() == static_cast<index_t>(expected.size()));
  CHECK(row_to_token[expected.size()] == -1);
}

TEST_CASE("no experts and no pairs; counts without begins get them; lists that are too short are refused") {
  stand_in const on;
  list const ids{1, 0};
  list lists(2), slot_to_row(2);
  extents<tokens, slots> const pairs{2, 1};
  auto const nobody =
      cuda::order_pairs(on, {ids.data(), pairs}, 0, 0, {lists, lists, {slot_to_row.data(), pairs}}, none);
  CHECK(nobody.most() == 0);
  CHECK(read(nobody.begins()) == std::vector<index_t>{0});
  CHECK(slot_to_row == list{-1, -1});
  extents<tokens, slots> const no_pairs{0, 1};
  auto const empty =
      cuda::order_pairs(on, {ids.data(), no_pairs}, 0, 2, {{}, {}, {slot_to_row.data(), no_pairs}}, none);
  CHECK(read(empty.begins()) == std::vector<index_t>{0, 0, 0});
  std::vector<index_t> const numbers{3, 0, 2};
  counts<device_memory> const bare{{numbers.data(), extents<tokens>{3}}};
  CHECK(read(cuda::begins_on(on, bare)) == std::vector<index_t>{0, 3, 3, 5});
  try {
    static_cast<void>(cuda::order_pairs(on, {ids.data(), pairs}, 0, 2,
                                        {std::span{lists}.first(1), lists, {slot_to_row.data(), pairs}}, none, 5));
    FAIL("a list that is too short");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.rank() == 5);
  }
  index_t const many = index_t{1} << 32;
  CHECK_THROWS_AS(cuda::check_lists(many, {}, 0), error);
}
