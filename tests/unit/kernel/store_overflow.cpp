// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/store_overflow.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "stores.hpp"

using namespace heddle;

namespace {

/// What the kernel says of a rank.
struct said {
  std::vector<index_t> found, dropped, received, begins;
};
said look(sample::store_case const& of, sample::filled_stores const& filled, int rank, index_t experts_each, int lanes,
          index_t alike = 1) {
  auto const owner = static_cast<std::size_t>(rank / of.parts);
  auto const own = static_cast<std::size_t>(of.first_bin[owner + 1] - of.first_bin[owner]);
  std::vector<index_t> found(static_cast<std::size_t>(of.bins()) + 4, -7), received(own, -7), begins(own + 1, -7);
  std::vector<index_t> told = of.told;
  kernel::find_overflow<> const kernel{.table = filled.table,
                                       .told = sample::rows_of(told, of.ranks(), of.bins() + of.experts),
                                       .rank = rank,
                                       .experts = of.experts,
                                       .experts_each = experts_each,
                                       .alike = alike,
                                       .found = sample::list_of(found),
                                       .received = sample::list_of(received),
                                       .begins = sample::list_of(begins)};
  sample::launch(kernel, 1, lanes);
  return {{found.begin(), found.begin() + 4}, {found.begin() + 4, found.end()}, received, begins};
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
      // Two owners at a time have the same seven experts.
      said const is = look(of, filled, rank, 7, lanes, 2);
      bool const over = needed > of.room;
      index_t const expert = worst / 2 * 7 + named - of.first_bin[static_cast<std::size_t>(worst)];
      wrong += is.found != std::vector<index_t>{needed, of.room, over ? worst / 2 : -1, over ? expert : -1};
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
    auto const found = [&] { return look(of, sample::filled_stores{of, lanes}, 1, 3, lanes).found; };
    CHECK(found() == std::vector<index_t>{5, 4, 0, 1});  // four pairs each of experts 1 and 2
    of.told[11] = 5;
    CHECK(found() == std::vector<index_t>{5, 4, 0, 2});
    of.told[1] = 6;
    CHECK(found() == std::vector<index_t>{6, 4, 1, 3});
    of.room = 6;
    CHECK(found() == std::vector<index_t>{6, 6, -1, -1});
  }
}
