// SPDX-License-Identifier: Apache-2.0
// What the ranks that share a batch know of all its tokens: sums over theirs.
#pragma once

#include <heddle/layer/frame.hpp>
#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Throws `shape` unless the padding mask, where there is one, has an entry for each of `height` tokens.
template <class Frame>
void check_padding(Frame& frame, index_t height) {
  auto const& padding = frame.inputs.padding;
  if (padding.data() == nullptr || padding.count() == height) return;
  throw error(
      error_kind::shape,
      "a padding mask of " + std::to_string(padding.count()) + " entries for " + std::to_string(height) + " tokens",
      "give one entry for each token of this rank, or no mask");
}

/// How many of this rank's `height` tokens are no padding.
template <class Frame>
[[nodiscard]] index_t present_tokens(Frame& frame, index_t height) {
  check_padding(frame, height);
  auto const& padding = frame.inputs.padding;
  if (padding.data() == nullptr) return height;
  if constexpr (std::is_same_v<typename Frame::memory, host_memory>) {
    index_t present = 0;
    for (index_t t = 0; t < height; ++t) present += padding(t) ? 0 : 1;
    return present;
  } else {
    throw error(error_kind::unsupported,
                "how many of " + std::to_string(height) + " tokens are no padding is asked of a mask on a device",
                "leave padding out of a batch whose experts have a capacity, or route it on the host");
  }
}

/// Adds up what every rank has counted of its tokens, over the groups that they are dealt over.
template <class Number, class Frame, class... Groups, class... States>
void sum_over(Frame& frame, placement<on<Groups, States>...>, [[maybe_unused]] std::span<Number> sums) {
  if constexpr (std::is_same_v<Number, index_t>) (frame.template numbers<Groups>().all_reduce(sums), ...);
  else (frame.template communicator<Groups>().all_reduce(sums), ...);
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
