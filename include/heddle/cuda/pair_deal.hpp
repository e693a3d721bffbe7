// SPDX-License-Identifier: Apache-2.0
// Which pairs of a list each warp of each block takes. Arithmetic alone: it runs on the host and is tested there.
#pragma once

#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Which (token, slot) pairs a warp of a block takes: neighbours, as many for each, in lines of 32.
struct pair_deal {
  index_t pairs = 0;
  int blocks = 1;
  int warps = 8;  ///< of a block

  static constexpr int line = 32;
  static constexpr int most_blocks = 128;  ///< each looks at the counts of all others
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t of_warp() const {
    index_t const lines = (pairs + line - 1) / line;
    index_t const all = static_cast<index_t>(blocks) * warps;
    return (lines + all - 1) / all * line;
  }
  /// The first pair of a warp; the next one's first is where it ends.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t begin(index_t block, index_t warp) const {
    index_t const at = (block * warps + warp) * of_warp();
    return at < pairs ? at : pairs;
  }
};

/// The deal for so many pairs: eight lines for each warp where there are blocks enough.
[[nodiscard]] constexpr pair_deal deal_of(index_t pairs, int warps) {
  index_t const of_block = index_t{8} * pair_deal::line * warps;
  index_t const wanted = (pairs + of_block - 1) / of_block;
  return {.pairs = pairs,
          .blocks = static_cast<int>(wanted < 1                        ? 1
                                     : wanted > pair_deal::most_blocks ? pair_deal::most_blocks
                                                                       : wanted),
          .warps = warps};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
