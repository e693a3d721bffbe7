// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/expert_order.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "sample.hpp"

using namespace heddle;

namespace {

using ids_of = std::vector<std::int32_t>;

/// The lists of an order.
struct order {
  std::vector<index_t> rows;
  ids_of tokens, slots, places;
  friend bool operator==(order const&, order const&) = default;
};

/// By expert, then token, then slot, one expert after the other.
order plain_order(ids_of const& ids, index_t k, index_t first, index_t experts) {
  order result;
  result.places.assign(ids.size(), -1);
  for (index_t expert = 0; expert < experts; ++expert) {
    index_t const before = static_cast<index_t>(result.tokens.size());
    for (std::size_t pair = 0; pair < ids.size(); ++pair) {
      if (ids[pair] != first + expert) continue;
      result.places[pair] = static_cast<std::int32_t>(result.tokens.size());
      result.tokens.push_back(static_cast<std::int32_t>(static_cast<index_t>(pair) / k));
      result.slots.push_back(static_cast<std::int32_t>(static_cast<index_t>(pair) % k));
    }
    result.rows.push_back(static_cast<index_t>(result.tokens.size()) - before);
  }
  result.rows.push_back(static_cast<index_t>(result.tokens.size()));
  return result;
}

order by_kernels(ids_of ids, index_t k, index_t first, index_t experts, int lanes) {
  auto const pairs = static_cast<index_t>(ids.size());
  index_t const blocks = kernel::pair_blocks(pairs);
  std::vector<index_t> counts(static_cast<std::size_t>(blocks * experts), 77);
  order result;
  result.rows.assign(static_cast<std::size_t>(experts) + 1, 77);
  result.tokens.assign(ids.size(), 77);
  result.slots.assign(ids.size(), 77);
  result.places.assign(ids.size(), 77);
  auto const table = sample::rows_of(counts, blocks, experts);
  auto const chosen = sample::slots_of(ids, pairs / k, k);
  kernel::count_pairs<> const count{.ids = chosen, .first = first, .counts = table};
  sample::launch(count, count.blocks(), lanes);
  sample::launch(kernel::begin_pairs<>{.counts = table, .expert_rows = sample::list_of(result.rows)}, 1, lanes);
  kernel::place_pairs<> const place{.ids = chosen,
                                    .first = first,
                                    .begins = table,
                                    .row_to_token = sample::list_of(result.tokens),
                                    .row_to_slot = sample::list_of(result.slots),
                                    .slot_to_row = sample::slots_of(result.places, pairs / k, k)};
  sample::launch(place, place.blocks(), lanes);
  auto const used = static_cast<std::size_t>(result.rows.back());
  for (std::size_t row = used; row < ids.size(); ++row) {
    CHECK(result.tokens[row] == 77);  // nobody's row is not written
    CHECK(result.slots[row] == 77);
  }
  result.tokens.resize(used);
  result.slots.resize(used);
  return result;
}

/// Ids in [-1, all), some experts without a token.
ids_of some_ids(index_t count, index_t all, std::uint32_t seed) {
  ids_of ids;
  std::uint32_t state = seed;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    ids.push_back(static_cast<std::int32_t>(state / 65536 % static_cast<std::uint32_t>(all + 1)) - 1);
    if (ids.back() == 2) ids.back() = 0;
  }
  return ids;
}

}  // namespace

TEST_CASE("expert_order: rows by expert, then token, then slot, over several blocks and in parts of the experts") {
  for (int lanes : {0, 3}) {
    for (index_t const pairs : {0, 6, 256, 258, 1000}) {
      for (index_t const all : {1, 3, 40}) {
        auto const ids = some_ids(pairs, all, static_cast<std::uint32_t>(pairs + all));
        CHECK(by_kernels(ids, 2, 0, all, lanes) == plain_order(ids, 2, 0, all));
        CHECK(by_kernels(ids, 1, all / 3, all / 2, lanes) == plain_order(ids, 1, all / 3, all / 2));
      }
    }
  }
}

TEST_CASE("expert_order: one expert takes all, or nobody has a token") {
  for (int lanes : {0, 3}) {
    CHECK(by_kernels(ids_of(600, 4), 3, 0, 5, lanes) == plain_order(ids_of(600, 4), 3, 0, 5));
    CHECK(by_kernels(ids_of(600, -1), 3, 0, 5, lanes) == plain_order(ids_of(600, -1), 3, 0, 5));
    CHECK(by_kernels(ids_of(600, 1), 3, 2, 2, lanes) == plain_order(ids_of(600, 1), 3, 2, 2));
  }
}
