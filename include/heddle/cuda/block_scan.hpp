// SPDX-License-Identifier: Apache-2.0
// The sums over the threads of a block before each, from scans of its warps: the same code on the host and on a GPU.
#pragma once

#include <cstddef>
#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// A `Scan` of index_build.hpp by the scans of warps. cub_scan.cuh has another one: whole numbers have the same sums in
/// every order.
template <int Warps>
struct scan_by_warps {
  static constexpr index_t shared_bytes = Warps * static_cast<index_t>(sizeof(index_t));

  /// Returns the sum of the threads before; `sum` receives that of all. All threads of the block call it.
  template <class Block>
  [[nodiscard]] HEDDLE_HOST_DEVICE static index_t exclusive(Block const& block, std::byte* shared, index_t value,
                                                            index_t& sum) {
    auto* const of_warps = reinterpret_cast<index_t*>(shared);
    int const warp = block.thread() / 32;
    index_t before = block.scan(value);
    if (block.thread() % 32 == 31) of_warps[warp] = before;
    before -= value;
    block.sync();
    sum = 0;
    for (int other = 0; other < Warps; ++other) {
      before += other < warp ? of_warps[other] : 0;
      sum += of_warps[other];
    }
    block.sync();  // before it is called again
    return before;
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
