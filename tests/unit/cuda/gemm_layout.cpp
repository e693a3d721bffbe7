// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_layout.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>

using namespace heddle;
using namespace heddle::cuda;

namespace {

template <class Operand>
void check_places() {
  std::set<int> bytes;
  for (int index = 0; index < Operand::extent; ++index)
    for (int k = 0; k < Operand::depth; ++k) bytes.insert(Operand::at(index, k));
  CHECK(bytes.size() == static_cast<std::size_t>(Operand::extent * Operand::depth));
  CHECK(*bytes.begin() == 0);
  CHECK(*bytes.rbegin() == Operand::bytes - static_cast<int>(sizeof(typename Operand::element)));
}

/// The eight lines that a matrix is loaded from lie in different banks, wherever it is.
template <class Operand, class Fragment>
void check_banks(Fragment fragment) {
  for (int index = 0; index < Operand::extent; index += 16) {
    for (int k = 0; k < Operand::depth; k += 16) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        std::set<int> banks;
        for (int line = 0; line < 8; ++line) {
          fragment_place const at = fragment(Operand::order, matrix * 8 + line);
          int const byte = Operand::at(index + at.index, k + at.k);
          CHECK(byte % chunk_bytes == 0);
          banks.insert(byte / chunk_bytes % 8);
        }
        CHECK(banks.size() == 8);
      }
    }
  }
}

template <lines Lines, int Extent, int Depth>
void check_halves() {
  using operand = shared_operand<std::uint16_t, Lines, Extent, Depth>;
  check_places<operand>();
  check_banks<operand>(row_fragment);
  check_banks<operand>(column_fragment);
}

}  // namespace

TEST_CASE("gemm_layout: every element has its place, and eight lines have all the banks") {
  check_halves<lines::along_depth, 16, 64>();
  check_halves<lines::along_depth, 64, 32>();
  check_halves<lines::along_depth, 128, 32>();
  check_halves<lines::along_depth, 128, 64>();
  check_halves<lines::across_depth, 16, 64>();
  check_halves<lines::across_depth, 32, 32>();
  check_halves<lines::across_depth, 64, 32>();
  check_halves<lines::across_depth, 128, 64>();
  check_places<shared_operand<float, lines::along_depth, 64, 16>>();
  check_places<shared_operand<float, lines::along_depth, 16, 32>>();
  check_places<shared_operand<float, lines::across_depth, 128, 16>>();
}

TEST_CASE("gemm_layout: a chunk is whole") {
  using operand = shared_operand<std::uint16_t, lines::along_depth, 128, 32>;
  for (int line = 0; line < 128; ++line)
    for (int k = 0; k < 32; ++k) CHECK(operand::at(line, k) == operand::at_chunk(line, k / 8) + k % 8 * 2);
}

TEST_CASE("gemm_layout: a warp loads what its instruction multiplies") {
  // PTX ISA, mma.m16n8k16: word i of lane (g = lane / 4, t = lane % 4) of the first operand holds row g, or g + 8 for
  // odd i, at inner indices 2 t and 2 t + 1, and 8 more for i >= 2. ldmatrix fills word i from matrix i: with two
  // neighbours of the row whose address lane 8 i + g gives, or where turned, with number g of the rows of lanes
  // 8 i + 2 t and 8 i + 2 t + 1.
  for (int lane = 0; lane < 32; ++lane) {
    int const g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) {
      fragment_place const along = row_fragment(lines::along_depth, 8 * i + g);
      CHECK(along.index == g + i % 2 * 8);
      CHECK(along.k + 2 * t == 2 * t + i / 2 * 8);
      fragment_place const across = row_fragment(lines::across_depth, 8 * i + 2 * t);
      CHECK(across.index + g == g + i % 2 * 8);
      CHECK(across.k == 2 * t + i / 2 * 8);
      // The second operand: word 0 holds inner indices 2 t and 2 t + 1 of column g, word 1 those 8 further; words 2 and
      // 3 are those of the next eight columns.
      fragment_place const column = column_fragment(lines::along_depth, 8 * i + g);
      CHECK(column.index == g + i / 2 * 8);
      CHECK(column.k == i % 2 * 8);
      fragment_place const turned = column_fragment(lines::across_depth, 8 * i + 2 * t);
      CHECK(turned.index + g == g + i / 2 * 8);
      CHECK(turned.k == 2 * t + i % 2 * 8);
    }
  }
}

TEST_CASE("gemm_layout: the lanes share the sums") {
  std::set<int> met;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      sum_place const at = sum_of(lane, i);
      CHECK(at.row == (i < 2 ? lane / 4 : lane / 4 + 8));
      CHECK(at.column == lane % 4 * 2 + (i & 1));
      met.insert(at.row * 8 + at.column);
    }
  }
  CHECK(met.size() == 128);
  CHECK(*met.rbegin() == 127);
}
