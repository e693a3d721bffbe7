// SPDX-License-Identifier: Apache-2.0
// How gate and up columns are packed into one axis of 2F, and how that axis is cut so that no pair is torn apart.
#pragma once

#include <heddle/placement/partition.hpp>

namespace heddle::inline HEDDLE_ABI {

// `packed` cuts the axis of 2F, `plain` the axis of F behind the activation: the pairs of the one are the columns of
// the other.

/// All of gate, then all of up: Hugging Face's gate_up_proj, Megatron-Core.
struct halves {
  using packed = segmented<ceil_chunk, 1, 1>;
  using plain = ceil_chunk;
};
/// Gate in the even columns, up in the odd ones: GPT-OSS.
struct interleaved {
  using packed = units<ceil_chunk, 2>;
  using plain = ceil_chunk;
};
/// `Block` columns of gate, then their `Block` columns of up, and so on (Megatron-Core's block-interleaved GLU); F is a
/// multiple of `Block`.
template <std::int64_t Block>
struct block_interleaved {
  using packed = units<ceil_chunk, 2 * Block>;
  using plain = units<ceil_chunk, Block>;
};

}  // namespace heddle::inline HEDDLE_ABI
