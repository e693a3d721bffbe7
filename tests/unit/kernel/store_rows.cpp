// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/store_rows.hpp>

#include <heddle/kernel/sum_parts.hpp>
#include <heddle/kernel/unpermute.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "stores.hpp"

using namespace heddle;

namespace {

constexpr index_t head = 64;
using floats = std::vector<float>;

/// The buffers of all ranks, full of what nobody has stored.
struct buffers {
  std::vector<std::vector<kernel::wide_word>> memory;
  kernel::peer_list peers;

  buffers(int ranks, index_t bytes) {
    for (int rank = 0; rank < ranks; ++rank) {
      memory.emplace_back(static_cast<std::size_t>(bytes / 16 + 2), kernel::wide_word{{0x7f7f7f7f, 1, 2, 3}});
      peers.of[rank] = reinterpret_cast<std::byte*>(memory.back().data());
    }
  }
};

kernel::byte_rows<std::byte const, host_memory> bytes_of(floats const& x, index_t width) {
  return {reinterpret_cast<std::byte const*>(x.data()),
          extents<tokens, hidden>{static_cast<index_t>(x.size()) / width, width * 4}};
}

/// Element i of row r that `rank` sends.
float value_of(index_t rank, index_t row, index_t i) { return static_cast<float>(rank * 10000 + row * 10 + i) + 0.5F; }

/// What the ranks of `part` make of it.
float made_of(float value, index_t part) { return value * static_cast<float>(3 + part) - 1; }

}  // namespace

TEST_CASE("tell_peers: every rank has the numbers of all") {
  for (int lanes : {0, 4}) {
    buffers const there{3, head + 3 * 5 * 8};
    for (index_t rank = 0; rank < 3; ++rank) {
      std::vector<index_t> own, more;
      for (index_t i = 0; i < 5; ++i) (i < 2 ? own : more).push_back(100 * rank + i);
      sample::launch(kernel::tell_peers<>{sample::list_of(own), sample::list_of(more), there.peers, head, rank}, 3,
                     lanes);
    }
    for (int peer = 0; peer < 3; ++peer) {
      auto const* const told = reinterpret_cast<index_t const*>(there.peers.of[peer] + head);
      for (index_t i = 0; i < 15; ++i) CHECK(told[i] == 100 * (i / 5) + i % 5);
    }
  }
}

TEST_CASE("rows are stored at their places, zeros between, and what is made of them comes home and is summed") {
  int wrong = 0, checked = 0;
  sample::each_store_case([&](sample::store_case const& of, receive_map const& map, sample::filled_stores const& filled,
                              int lanes) {
    index_t const width = lanes == 4 ? 4 : 3;  // with and without whole words
    index_t sent = 0;
    for (int rank = 0; rank < of.ranks(); ++rank) sent = std::max(sent, map.sent_by(rank));
    buffers const there{of.ranks(), head + of.room * width * 4}, back{of.ranks(), head + of.parts * sent * width * 4};
    for (int rank = 0; rank < of.ranks(); ++rank) {
      floats x;  // longer than what is sent
      for (index_t i = 0; i < (map.sent_by(rank) + 2) * width; ++i) x.push_back(value_of(rank, i / width, i % width));
      auto const view = bytes_of(x, width);
      sample::launch(kernel::send_rows<>{view, filled.table, there.peers, head, rank}, view.shape()[0], lanes);
    }
    // What everybody is to have.
    std::vector<floats> expected(static_cast<std::size_t>(of.ranks()),
                                 floats(static_cast<std::size_t>(of.room * width)));
    std::vector<std::vector<bool>> kept;
    for (int rank = 0; rank < of.ranks(); ++rank) kept.emplace_back(static_cast<std::size_t>(map.sent_by(rank)));
    std::vector<index_t> homes(static_cast<std::size_t>(of.ranks()));
    map.each_block(homes, [&](receive_block const& block) {
      for (index_t row = 0; row < block.kept; ++row) {
        kept[static_cast<std::size_t>(block.source)][static_cast<std::size_t>(block.home + row)] = true;
        for (int part = 0; part < of.parts; ++part)
          for (index_t i = 0; i < width; ++i)
            expected[static_cast<std::size_t>(map.rank_of(block.owner, part))]
                    [static_cast<std::size_t>((block.place + row) * width + i)] =
                        value_of(block.source, block.home + row, i);
      }
    });
    for (int rank = 0; rank < of.ranks(); ++rank) {
      floats y(static_cast<std::size_t>(of.room * width), -7);
      kernel::byte_rows<std::byte, host_memory> const out{reinterpret_cast<std::byte*>(y.data()),
                                                          extents<tokens, hidden>{of.room, width * 4}};
      sample::launch(kernel::take_rows<>{there.peers.of[rank], filled.table, head, rank, {}, out}, of.room, lanes);
      wrong += y != expected[static_cast<std::size_t>(rank)];
      for (float& value : y) value = made_of(value, rank % of.parts);
      sample::launch(kernel::return_rows<>{bytes_of(y, width), filled.table, back.peers, head, rank}, of.room, lanes);
    }
    for (int rank = 0; rank < of.ranks(); ++rank) {
      index_t const rows = map.sent_by(rank) + 1;
      floats x(static_cast<std::size_t>(rows * width), -7);
      kernel::home_rows<float> const home{reinterpret_cast<float const*>(back.peers.of[rank] + head), filled.table,
                                          rank, width};
      sample::launch(kernel::sum_home<float>{home, sample::rows_of(x, rows, width)}, rows, lanes);
      for (index_t i = 0; i < rows * width; ++i) {
        float sum = 0;
        bool const here =
            i / width < rows - 1 && kept[static_cast<std::size_t>(rank)][static_cast<std::size_t>(i / width)];
        for (int part = 0; here && part < of.parts; ++part) sum += made_of(value_of(rank, i / width, i % width), part);
        wrong += x[static_cast<std::size_t>(i)] != sum;
        ++checked;
      }
      // Two tokens take rows of their own and each other's, in one kernel and in two.
      index_t const last = std::max<index_t>(rows - 2, 0);
      std::vector<std::int32_t> slots{static_cast<std::int32_t>(last),    -1, 0, 0, 0,
                                      static_cast<std::int32_t>(last / 2)};
      if (rows == 1) slots.assign(6, -1);
      floats weights{0.5F, 3, -1.25F, 2, 0.1F, 7}, once(static_cast<std::size_t>(2 * width)), twice = once;
      for (bool const weighted : {true, false}) {
        auto const scale = weighted ? sample::slots_of(weights, 2, 3) : slot_view<float>{};
        sample::launch(
            kernel::combine_home<float>{home, sample::slots_of(slots, 2, 3), scale, sample::rows_of(once, 2, width)}, 2,
            lanes);
        sample::launch(kernel::unpermute<float>{sample::rows_of(x, rows, width), sample::slots_of(slots, 2, 3), scale,
                                                sample::rows_of(twice, 2, width)},
                       2);
        wrong += once != twice;
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(checked > 20000);
}
