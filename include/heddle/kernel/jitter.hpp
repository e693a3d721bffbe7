// SPDX-License-Identifier: Apache-2.0
// Noise on what a router sees, the same whoever holds the token.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/core/philox.hpp>
#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t, h] = x[t, h] * u, u in [1 - epsilon, 1 + epsilon] drawn by Philox for (seed, first_token + t, first_column +
/// h): the numbers of a token and a column among those of all ranks. Its gradient is the same function of dy. Megatron
/// and Mixtral; here it never touches what the experts see. x and y [T, H], may be the same memory.
template <real T, class Memory = host_memory>
struct jitter {
  rows<T const, Memory> x;
  rows<T, Memory> y;
  double epsilon = 0;
  std::uint64_t seed = 0;
  index_t first_token = 0;
  index_t first_column = 0;

  /// Of `seed`, used up.
  static constexpr std::uint32_t stream = 0x6a697474;

  /// Throws `argument` where epsilon is not from 0 to 1.
  void check() const {
    if (!(epsilon >= 0 && epsilon <= 1)) {
      throw error(error_kind::argument, "an input jitter of " + std::to_string(epsilon), "use a number from 0 to 1");
    }
  }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    auto const token = static_cast<std::uint64_t>(first_token + row);
    index_t const end = first_column + y.row_size();
    // Philox draws four numbers at a time: those of columns 4 b to 4 b + 3.
    for (index_t block = first_column / 4 + team.rank(); block * 4 < end; block += team.size()) {
      philox_block const draw = philox4x32({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(token),
                                             static_cast<std::uint32_t>(token >> 32), stream}},
                                           seed);
      for (index_t word = 0; word < 4; ++word) {
        index_t const column = block * 4 + word - first_column;
        if (column < 0 || column >= y.row_size()) continue;
        auto const unit = static_cast<accumulator_t<T>>(static_cast<float>(draw.word[word] >> 8) * 0x1p-23F - 1);
        y(row, column) = static_cast<T>(widen(x(row, column)) * (1 + static_cast<accumulator_t<T>>(epsilon) * unit));
      }
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
