// SPDX-License-Identifier: Apache-2.0
// The teams of a GPU: a warp or a part of one, and a block. Lanes join their values in a fixed order, so a row's bits
// depend on the size of its team and on nothing else.
#pragma once

#include <heddle/cuda/butterfly.hpp>
#include <heddle/cuda/grid.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What lanes join by.
struct add_values {
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE Value operator()(Value a, Value b) const {
    return static_cast<Value>(a + b);
  }
};
struct larger_value {
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE Value operator()(Value a, Value b) const {
    return b > a ? b : a;
  }
};

/// `Size` neighbouring lanes of a warp. With 32 of them a sum over a row has the order of the host's. Teams of one warp
/// may be at different rows: they wait for their own lanes alone.
template <int Size = 32>
struct warp_team {
  static_assert(Size <= 32, "[heddle.team.warp] a warp has 32 lanes. Fix: use a block_team for more.");
  static constexpr team_shape shape{.lanes = Size, .teams = 128 / Size};

  [[nodiscard]] __device__ static index_t rank() { return threadIdx.x % Size; }
  [[nodiscard]] __device__ static constexpr index_t size() { return Size; }
  /// What one lane has written before, to whatever memory, the others read behind it.
  __device__ static void sync() { __syncwarp(mask()); }
  template <class Value>
  [[nodiscard]] __device__ static Value sum(Value value) {
    return fold(value, add_values{});
  }
  template <class Value>
  [[nodiscard]] __device__ static Value max(Value value) {
    return fold(value, larger_value{});
  }

 private:
  [[nodiscard]] __device__ static unsigned mask() {
    if constexpr (Size == 32) return 0xffffffffU;
    else return ((1U << Size) - 1) << (threadIdx.x % 32 / Size * Size);
  }
  template <class Value, class Join>
  [[nodiscard]] __device__ static Value fold(Value value, Join join) {
    auto const exchange = [lanes = mask()](Value mine, int distance) { return __shfl_xor_sync(lanes, mine, distance); };
    return butterfly<Size>(value, exchange, join);
  }
};

/// All `Size` threads of a block, whole warps: for rows that keep more than a warp busy. Every lane of a warp joins
/// first, then the warps.
template <int Size>
struct block_team {
  static constexpr int warps = Size / 32;
  static_assert(Size % 32 == 0 && warps <= 32,
                "[heddle.team.block] a block is 1 to 32 whole warps. Fix: use a power of two from 32 to 1024.");
  static constexpr team_shape shape{.lanes = Size, .teams = 1};

  [[nodiscard]] __device__ static index_t rank() { return threadIdx.x; }
  [[nodiscard]] __device__ static constexpr index_t size() { return Size; }
  __device__ static void sync() { __syncthreads(); }
  template <class Value>
  [[nodiscard]] __device__ static Value sum(Value value) {
    return fold(warp_team<32>::sum(value), add_values{});
  }
  template <class Value>
  [[nodiscard]] __device__ static Value max(Value value) {
    return fold(warp_team<32>::max(value), larger_value{});
  }

 private:
  template <class Value, class Join>
  [[nodiscard]] __device__ static Value fold(Value of_warp, Join join) {
    __shared__ Value slots[warps];
    if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = of_warp;
    __syncthreads();
    Value const mine = slots[threadIdx.x % warps];
    __syncthreads();  // before the slots are written again
    return butterfly<warps>(
        mine, [](Value value, int distance) { return __shfl_xor_sync(0xffffffffU, value, distance); }, join);
  }
};

static_assert(team<warp_team<32>> && team<warp_team<8>> && team<block_team<256>>);

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
