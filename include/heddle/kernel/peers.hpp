// SPDX-License-Identifier: Apache-2.0
// The buffers of a group of ranks that kernels store into.
#pragma once

#include <cstddef>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Ranks that can store into each other's memory: more than a rack of GPUs on one switch has.
inline constexpr int most_peers = 128;

/// Where the buffer of each rank begins, as this rank reaches it. It travels by value: a captured launch keeps it.
struct peer_list {
  std::byte* of[most_peers] = {};
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
