// SPDX-License-Identifier: Apache-2.0
// The matrix instructions of a warp, from compute capability 8.0 on: one instruction a function.
#pragma once

#include <heddle/core/small_float.hpp>
#include <heddle/cuda/copy.cuh>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Four 8 x 8 matrices of halves from shared memory: lanes 8 i to 8 i + 7 give the addresses of the rows of matrix i,
/// and word i of a lane receives two neighbours of row lane / 4; of column lane / 4 where they are `Turned`.
template <bool Turned>
__device__ inline void load_matrices(std::uint32_t (&words)[4], void const* line) {
  if constexpr (Turned) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(line))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(line))
                 : "memory");
  }
}

/// sums [16, 8] += left [16, 16] right [16, 8], sums in f32.
__device__ inline void multiply_add(bf16, float (&sums)[4], std::uint32_t const (&left)[4], std::uint32_t first,
                                    std::uint32_t second) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(first), "r"(second));
}
__device__ inline void multiply_add(f16, float (&sums)[4], std::uint32_t const (&left)[4], std::uint32_t first,
                                    std::uint32_t second) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(first), "r"(second));
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
