// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/store_table.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "stores.hpp"

using namespace heddle;

TEST_CASE("owner_among: the last that begins there or before, which is never one without anything") {
  std::vector<index_t> const begins{0, 0, 3, 3, 3, 7};
  auto const owner = [&](index_t at) {
    return kernel::owner_among(6, at, [&](index_t i) { return begins[static_cast<std::size_t>(i)]; });
  };
  CHECK(owner(0) == 1);
  CHECK(owner(2) == 1);
  CHECK(owner(3) == 4);
  CHECK(owner(6) == 4);
  CHECK(owner(7) == 5);
  CHECK(owner(100) == 5);
}

TEST_CASE("store_table: every block lies where the host's map says, whatever the room, the gaps and the team") {
  int wrong = 0, blocks = 0;
  sample::each_store_case([&](sample::store_case const& of, receive_map const& map, sample::filled_stores const& filled,
                              int) {
    auto const& table = filled.table;
    std::vector<index_t> homes(static_cast<std::size_t>(of.ranks()));
    map.each_block(homes, [&](receive_block const& block) {
      ++blocks;
      wrong +=
          table.places(block.source, block.bin) != block.place || table.homes(block.source, block.bin) != block.home;
      wrong += table.kept(block.source, block.bin) != block.kept || table.counts(block.source, block.bin) != block.rows;
      wrong += table.owner_of_bin(block.bin) != block.owner;
    });
    for (int owner = 0; owner < of.owners; ++owner)
      wrong += table.needed(owner) != map.needed_by(owner) || table.kept_by(owner) != map.kept_by(owner);
    for (int rank = 0; rank < of.ranks(); ++rank) wrong += table.sent_by(rank) != map.sent_by(rank);
  });
  CHECK(wrong == 0);
  CHECK(blocks > 5000);
}

TEST_CASE("store_table: every row that is sent is found at its source, and every place where it was received") {
  int wrong = 0, found = 0, gaps = 0;
  sample::each_store_case(
      [&](sample::store_case const& of, receive_map const& map, sample::filled_stores const& filled, int lanes) {
        if (lanes > 1) return;  // the lists are the same, as above
        struct where {
          index_t source, home;
        };
        std::vector<std::vector<where>> arrived(static_cast<std::size_t>(of.owners));
        for (int owner = 0; owner < of.owners; ++owner)
          arrived[static_cast<std::size_t>(owner)].resize(static_cast<std::size_t>(map.kept_by(owner)), {-1, 0});
        std::vector<index_t> homes(static_cast<std::size_t>(of.ranks()));
        map.each_block(homes, [&](receive_block const& block) {
          for (index_t i = 0; i < block.rows; ++i) {
            kernel::sent_row const row = kernel::find_sent(filled.table, block.source, block.home + i);
            bool const kept = i < block.kept;
            wrong += row.bin != block.bin || row.place != block.place + i || row.kept != kept;
            if (kept)
              arrived[static_cast<std::size_t>(block.owner)][static_cast<std::size_t>(block.place + i)] = {
                  block.source, block.home + i};
          }
        });
        for (int owner = 0; owner < of.owners; ++owner) {
          auto const& list = arrived[static_cast<std::size_t>(owner)];
          for (std::size_t row = 0; row < list.size(); ++row) {
            auto const got = kernel::find_received(filled.table, owner, static_cast<index_t>(row));
            wrong += got.source != list[row].source || got.home != list[row].home;
            ++(list[row].source < 0 ? gaps : found);
          }
        }
      });
  CHECK(wrong == 0);
  CHECK(found > 3000);
  CHECK(gaps > 300);
}
