// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/index_build.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "lockstep.hpp"

using namespace heddle;

namespace {

using numbers = std::vector<std::int32_t>;

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

struct lists {
  std::vector<index_t> counts, begins;
  numbers tokens, slots, places;
  friend bool operator==(lists const&, lists const&) = default;
};

/// One expert after the other, pair by pair.
lists plain(numbers const& ids, index_t k, index_t first, index_t experts, index_t room) {
  lists out;
  out.places.assign(ids.size(), -1);
  for (index_t expert = 0; expert < experts; ++expert) {
    out.begins.push_back(static_cast<index_t>(out.tokens.size()));
    for (std::size_t pair = 0; pair < ids.size(); ++pair) {
      if (ids[pair] != first + expert) continue;
      out.places[pair] = static_cast<std::int32_t>(out.tokens.size());
      out.tokens.push_back(static_cast<std::int32_t>(static_cast<index_t>(pair) / k));
      out.slots.push_back(static_cast<std::int32_t>(static_cast<index_t>(pair) % k));
    }
    out.counts.push_back(static_cast<index_t>(out.tokens.size()) - out.begins.back());
  }
  out.begins.push_back(static_cast<index_t>(out.tokens.size()));
  out.tokens.resize(at(room), -1);
  out.slots.resize(at(room), -1);
  return out;
}

template <int Warps>
lists by_kernels(numbers const& ids, index_t k, index_t first, index_t experts, index_t room, int blocks,
                 lockstep::manner how) {
  auto const pairs = static_cast<index_t>(ids.size());
  lists out{std::vector<index_t>(at(experts), 77), std::vector<index_t>(at(experts + 1), 77), numbers(at(room), 77),
            numbers(at(room), 77), numbers(ids.size(), 77)};
  extents<tokens, slots> const shape{pairs / k, k};
  extents<tokens> const rows{room};
  cuda::index_lists<> const to{.ids = {ids.data(), shape},
                               .first = first,
                               .counts = {out.counts.data(), extents<tokens>{experts}},
                               .begins = {out.begins.data(), extents<tokens>{experts + 1}},
                               .row_to_token = {out.tokens.data(), rows},
                               .row_to_slot = {out.slots.data(), rows},
                               .slot_to_row = {out.places.data(), shape}};
  cuda::pair_deal const deal{.pairs = pairs, .blocks = blocks, .warps = Warps};
  numbers table(at(blocks * experts), 77);
  cuda::count_lines<Warps> const count{.lists = to, .deal = deal, .table = table.data()};
  cuda::place_lines<Warps> const place{.lists = to, .deal = deal, .table = blocks > 1 ? table.data() : nullptr};
  if (blocks > 1) lockstep::run(count, count.threads, count.shared_bytes(experts), blocks, how);
  lockstep::run(place, place.threads, place.shared_bytes(experts), blocks, how);
  return out;
}

/// Ids in [-1, all), some experts without a token; every seventh pair of 100 has the expert 1.
numbers some_ids(index_t count, index_t all, std::uint32_t seed) {
  numbers ids;
  std::uint32_t state = seed;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    ids.push_back(static_cast<std::int32_t>(state / 65536 % static_cast<std::uint32_t>(all + 1)) - 1);
    if (ids.back() == 2 || i % 200 > 100) ids.back() = static_cast<std::int32_t>(all / 2);
  }
  return ids;
}

template <int Warps>
void check(numbers const& ids, index_t k, index_t first, index_t experts, int blocks, index_t spare = 0,
           lockstep::manner how = {}) {
  CAPTURE(ids.size());
  CAPTURE(experts);
  CAPTURE(blocks);
  index_t const room = static_cast<index_t>(ids.size()) + spare;
  CHECK(by_kernels<Warps>(ids, k, first, experts, room, blocks, how) == plain(ids, k, first, experts, room));
}

}  // namespace

TEST_CASE("index_build: rows by expert, then token, then slot, on one block and on several") {
  for (index_t const pairs : {0, 2, 62, 64, 258, 1000, 2222}) {
    for (index_t const all : {1, 3, 40, 300}) {
      auto const ids = some_ids(pairs, all, static_cast<std::uint32_t>(pairs + all));
      for (int const blocks : {1, 3}) {
        check<2>(ids, 2, 0, all, blocks, 5);
        if (all == 40) check<8>(ids, 2, 0, all, blocks);
        if (all == 40) check<1>(ids, 1, all / 3, all / 2, blocks, 70, {.last_first = true});
      }
    }
  }
  check<8>(some_ids(3000, 1024, 5), 8, 0, 1024, 2);
  check<8>(some_ids(3000, 1024, 5), 8, 100, 257, 5);
}

TEST_CASE("index_build: one expert takes all, nobody has a token, there is no expert") {
  for (int const blocks : {1, 4}) {
    check<2>(numbers(600, 4), 3, 0, 5, blocks);
    check<2>(numbers(600, -1), 3, 0, 5, blocks, 3);
    check<2>(numbers(600, 1), 3, 2, 2, blocks);
    check<2>(numbers(600, 1), 3, 0, 0, blocks);
  }
}
