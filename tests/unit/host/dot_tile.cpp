// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/dot_tile.hpp>

#include <doctest/doctest.h>

#include "gemm_cases.hpp"

using namespace heddle;

TEST_CASE("dot_tile: the shape of the tile and the width of the vectors do not change the bits") {
  index_t const k = 100;
  auto x = gemm_cases::numbers<bf16>(6 * k, 1);
  auto w = gemm_cases::numbers<bf16>(4 * k, 2);
  std::vector<bf16> packed(6 * 128);
  host::pack_rows<6>(x.data(), k, packed.data());
  float sums[6][4];
  host::dot_tile<6, 4, host::vector_bytes>(packed.data(), w.data(), k, sums);
  std::vector<bf16> alone(128);
  for (index_t r = 0; r < 6; ++r) {
    host::pack_rows<1>(x.data() + r * k, k, alone.data());
    for (index_t c = 0; c < 4; ++c) {
      float one[1][1];
      host::dot_tile<1, 1, 16>(alone.data(), w.data() + c * k, k, one);
      CHECK(one[0][0] == sums[r][c]);
    }
  }
}
