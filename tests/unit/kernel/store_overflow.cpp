// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/store_overflow.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "stores.hpp"

using namespace heddle;

namespace {

/// What the kernel says of a rank.
struct said {
  kernel::store_overflow found;
  std::vector<index_t> dropped, received, begins;
};
said look(sample::store_case const& of, sample::filled_stores const& filled, int rank, index_t experts_each,
          int lanes) {
  int const owner = rank / of.parts;
  auto const own = of.first_bin[static_cast<std::size_t>(owner) + 1] - of.first_bin[static_cast<std::size_t>(owner)];
  said result{.found = {}, .dropped = {}, .received = {}, .begins = {}};
  result.dropped.assign(static_cast<std::size_t>(of.bins()), -7);
  result.received.assign(static_cast<std::size_t>(own), -7);
  result.begins.assign(static_cast<std::size_t>(own) + 1, -7);
  std::vector<kernel::store_overflow> found(1);
  std::vector<index_t> told = of.told;
  kernel::find_overflow<> const kernel{.table = filled.table,
                                       .told = sample::rows_of(told, of.ranks(), of.bins() + of.experts),
                                       .rank = rank,
                                       .experts = of.experts,
                                       .experts_each = experts_each,
                                       .found = {found.data(), extents<tokens>{1}},
                                       .dropped = sample::list_of(result.dropped),
                                       .received = sample::list_of(result.received),
                                       .received_begins = sample::list_of(result.begins)};
  sample::launch(kernel, 1, lanes);
  result.found = found[0];
  return result;
}

}  // namespace

TEST_CASE("find_overflow: the owner that needs most and its first bin that is cut, and what every rank has and lacks") {
  int wrong = 0, cut = 0;
  sample::each_store_case([&](sample::store_case const& of, receive_map const& map, sample::filled_stores const& filled,
                              int lanes) {
    index_t needed = 0;
    int worst = 0;
    for (int owner = 0; owner < of.owners; ++owner) {
      if (map.needed_by(owner) > needed) worst = owner;
      needed = std::max(needed, map.needed_by(owner));
    }
    index_t named = -1;
    std::vector<std::vector<index_t>> dropped(static_cast<std::size_t>(of.ranks()),
                                              std::vector<index_t>(static_cast<std::size_t>(of.bins())));
    std::vector<index_t> received(static_cast<std::size_t>(of.bins())), homes(static_cast<std::size_t>(of.ranks()));
    map.each_block(homes, [&](receive_block const& block) {
      dropped[static_cast<std::size_t>(block.source)][static_cast<std::size_t>(block.bin)] = block.rows - block.kept;
      received[static_cast<std::size_t>(block.bin)] += block.kept;
      if (block.owner == worst && block.kept < block.rows && named < 0) named = block.bin;
    });
    for (index_t& rows : received) rows = map.aligned(rows);
    for (int rank = 0; rank < of.ranks(); ++rank) {
      auto const own = static_cast<std::size_t>(map.owner_of(rank));
      std::vector<index_t> const rows(received.begin() + of.first_bin[own], received.begin() + of.first_bin[own + 1]);
      std::vector<index_t> begins{0};
      for (index_t const count : rows) begins.push_back(begins.back() + count);
      said const is = look(of, filled, rank, 1, lanes);
      wrong += is.found.needed != needed || is.found.room != of.room;
      wrong += is.found.owner != (needed > of.room ? worst : -1) || is.found.named != named;
      wrong += is.dropped != dropped[static_cast<std::size_t>(rank)] || is.received != rows || is.begins != begins;
      cut += named >= 0;
    }
  });
  CHECK(wrong == 0);
  CHECK(cut > 100);
}

TEST_CASE("find_overflow: where every rank tells its choices, the expert that is chosen most") {
  for (int lanes : {0, 1, 4, 32}) {
    // Bins are two ranks; of five experts three are the first rank's.
    sample::store_case of{.owners = 2,
                          .parts = 1,
                          .first_bin = {0, 1, 2},
                          .room = 4,
                          .experts = 5,
                          .told = {3, 1, 1, 2, 0, 9, 9,    // of rank 0
                                   2, 0, 1, 2, 4, 9, 9}};  // of rank 1
    auto const named = [&] { return look(of, sample::filled_stores{of, lanes}, 1, 3, lanes).found; };
    CHECK(named().owner == 0);
    CHECK(named().named == 1);  // four pairs each of experts 1 and 2
    of.told[11] = 5;
    CHECK(named().named == 2);
    of.told[1] = 6;
    CHECK(named().owner == 1);
    CHECK(named().named == 3);
    of.room = 6;
    CHECK(named().owner == -1);
    CHECK(named().named == -1);
  }
}
