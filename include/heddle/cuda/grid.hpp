// SPDX-License-Identifier: Apache-2.0
// How many blocks a launch of so many rows takes. Arithmetic alone: it runs on the host and is tested there.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What can be the argument of a launch: bytes, no more than 4 KiB of them.
template <class Kernel>
concept launchable = std::is_trivially_copyable_v<Kernel> && sizeof(Kernel) <= 4096 - sizeof(index_t);

/// The lanes that work on one row, and how many such teams share a block.
struct team_shape {
  int lanes = 32;
  int teams = 4;  ///< per block
  [[nodiscard]] constexpr int threads() const { return lanes * teams; }
};

/// Blocks for `rows` rows: one team a row up to `most` blocks, and beyond that every team takes row after row, so that
/// the number of rows is bounded by memory alone. 0 where there is nothing to do, which is no launch.
[[nodiscard]] constexpr int blocks_for(index_t rows, team_shape shape, int most) {
  if (rows <= 0) return 0;
  index_t const wanted = (rows - 1) / shape.teams + 1;
  return static_cast<int>(wanted < most ? wanted : most);
}

/// Blocks that keep a GPU of so many processors busy: as many as fit at once, some turns over, so that rows of uneven
/// cost even out.
[[nodiscard]] constexpr int most_blocks(int processors, team_shape shape) {
  constexpr int threads_of_processor = 2048, turns = 4;
  return processors * (threads_of_processor / shape.threads()) * turns;
}

/// Blocks of so many threads that a processor shall have room for: 512 threads of them, at least one block.
[[nodiscard]] constexpr int blocks_asked(int threads) { return threads < 512 ? 512 / threads : 1; }

/// visit(row) for the rows of one of `teams` teams.
template <class Visit>
HEDDLE_HOST_DEVICE constexpr void each_row(index_t rows, index_t team, index_t teams, Visit visit) {
  for (index_t row = team; row < rows; row += teams) visit(row);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
