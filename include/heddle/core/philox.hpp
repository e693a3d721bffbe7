// SPDX-License-Identifier: Apache-2.0
// Random numbers that depend on where they go and not on who draws them: Philox4x32-10, the counter-based generator of
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <cstdint>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Four words: a counter, or the random block it turns into.
struct philox_block {
  std::uint32_t word[4] = {};
  friend constexpr bool operator==(philox_block const&, philox_block const&) = default;
};

/// Ten rounds of Philox4x32 on `counter` with the key (low, high word of `key`).
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr philox_block philox4x32(philox_block counter, std::uint64_t key) {
  auto low = static_cast<std::uint32_t>(key);
  auto high = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const first = std::uint64_t{0xD2511F53U} * counter.word[0];
    std::uint64_t const second = std::uint64_t{0xCD9E8D57U} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(second >> 32) ^ counter.word[1] ^ low, static_cast<std::uint32_t>(second),
                static_cast<std::uint32_t>(first >> 32) ^ counter.word[3] ^ high, static_cast<std::uint32_t>(first)}};
    low += 0x9E3779B9U;   // the golden ratio
    high += 0xBB67AE85U;  // the square root of three, less one
  }
  return counter;
}

/// The random numbers of one tensor: `stream` tells tensors of one seed apart, and `index` is that of an element of the
/// whole tensor, so that every rank that holds the element draws the same number.
class philox {
 public:
  /// Streams of one seed are independent of each other.
  HEDDLE_HOST_DEVICE constexpr philox(std::uint64_t seed, std::uint64_t stream) : seed_{seed}, stream_{stream} {}

  /// 32 random bits.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr std::uint32_t bits(std::uint64_t index) const {
    std::uint64_t const block = index / 4;
    return philox4x32({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                        static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)}},
                      seed_)
        .word[index % 4];
  }
  /// A multiple of 2^-24 in [0, 1).
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr float uniform(std::uint64_t index) const {
    return static_cast<float>(bits(index) >> 8) * 0x1p-24F;
  }
  /// A number in [low, high].
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr float uniform(std::uint64_t index, float low, float high) const {
    return low + (high - low) * uniform(index);
  }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace heddle::inline HEDDLE_ABI
