// SPDX-License-Identifier: Apache-2.0
// The scan of a block by CUB, for who has it compiled anyway: its headers cost twice those of this library, so it is in
// no umbrella. `scan_by_warps` gives the same sums.
#pragma once

#include <cstddef>
#include <cub/block/block_scan.cuh>
#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// A `Scan` of index_build.hpp.
template <int Warps>
struct cub_scan {
  using scan = cub::BlockScan<index_t, 32 * Warps>;
  static constexpr index_t shared_bytes = static_cast<index_t>(sizeof(typename scan::TempStorage));

  /// See `scan_by_warps`.
  template <class Block>
  [[nodiscard]] __device__ static index_t exclusive(Block const& block, std::byte* shared, index_t value,
                                                    index_t& sum) {
    index_t before = 0;
    scan(*reinterpret_cast<typename scan::TempStorage*>(shared)).ExclusiveSum(value, before, sum);
    block.sync();  // before it is called again
    return before;
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
