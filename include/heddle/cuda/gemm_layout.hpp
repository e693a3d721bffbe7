// SPDX-License-Identifier: Apache-2.0
// Where the elements of a GEMM lie inside a block: in shared memory, and in the registers of a warp's lanes. Integers
// alone, tested on the host.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What stands side by side in memory: the inner dimension of one row or column, or the rows or columns of one inner
/// index.
enum class lines : bool { along_depth, across_depth };

/// What one access takes of shared memory: the most a thread moves at once, and the row of an 8 x 8 matrix of halves.
inline constexpr int chunk_bytes = 16;

/// One operand of a stage: `Extent` rows or columns, `Depth` inner indices, as lines of chunks. Chunks of neighbouring
/// lines change places (exclusive or with the line's number), so that eight lines give one chunk each without two of
/// them in the same banks.
template <class T, lines Lines, int Extent, int Depth>
struct shared_operand {
  using element = T;
  static constexpr lines order = Lines;
  static constexpr int extent = Extent, depth = Depth;
  static constexpr int line_count = Lines == lines::along_depth ? Extent : Depth;
  static constexpr int line_length = Lines == lines::along_depth ? Depth : Extent;
  static constexpr int chunk = chunk_bytes / static_cast<int>(sizeof(T));  ///< elements
  static constexpr int chunks = line_length / chunk;                       ///< of a line
  static constexpr int bytes = line_count * chunks * chunk_bytes;
  static_assert(chunks > 0 && (chunks & (chunks - 1)) == 0 && line_length % chunk == 0);

  /// The byte at which chunk `number` of a line begins.
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr int at_chunk(int line, int number) {
    constexpr int lines_of_banks = chunks < 8 ? 8 / chunks : 1;  // lines that 128 bytes, all the banks, hold
    constexpr int turns = chunks < 8 ? chunks : 8;
    return (line * chunks + (number ^ (line / lines_of_banks % turns))) * chunk_bytes;
  }
  /// The byte at which the element of row or column `index` at inner index `k` begins.
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr int at(int index, int k) {
    int const line = Lines == lines::along_depth ? index : k;
    int const element = Lines == lines::along_depth ? k : index;
    return at_chunk(line, element / chunk) + element % chunk * static_cast<int>(sizeof(T));
  }
};

/// A row or column of an operand and an inner index, counted from the corner of a fragment.
struct fragment_place {
  int index = 0;
  int k = 0;
};

/// The line of 16 bytes of which a lane gives the address when a warp loads a fragment of 16 x 16 halves as four
/// matrices of 8 x 8 (PTX ISA, ldmatrix .x4: lanes 8 i to 8 i + 7 name the rows of matrix i). mma.m16n8k16 wants the
/// four matrices of the first operand by rows, then inner index...
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr fragment_place row_fragment(lines order, int lane) {
  int const matrix = lane / 8, line = lane % 8;
  fragment_place const corner{matrix % 2 * 8, matrix / 2 * 8};
  return order == lines::along_depth ? fragment_place{corner.index + line, corner.k}
                                     : fragment_place{corner.index, corner.k + line};
}
/// ...and those of two neighbouring second operands by inner index, then columns.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr fragment_place column_fragment(lines order, int lane) {
  int const matrix = lane / 8, line = lane % 8;
  fragment_place const corner{matrix / 2 * 8, matrix % 2 * 8};
  return order == lines::along_depth ? fragment_place{corner.index + line, corner.k}
                                     : fragment_place{corner.index, corner.k + line};
}

/// An element of a result, counted from the corner of its 16 x 8.
struct sum_place {
  int row = 0;
  int column = 0;
};
/// Which sums a lane has: number 0 to 3 of the 16 x 8 that mma.m16n8k16 computes (PTX ISA, fragment of C and D).
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr sum_place sum_of(int lane, int number) {
  return {lane / 4 + number / 2 * 8, lane % 4 * 2 + number % 2};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
