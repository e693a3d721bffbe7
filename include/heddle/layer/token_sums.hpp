// SPDX-License-Identifier: Apache-2.0
// What the ranks that share a batch know of all its tokens: sums over theirs.
#pragma once

#include <heddle/kernel/count_present.hpp>
#include <heddle/layer/owned_counts.hpp>
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

/// The same number as `present_tokens`, where kernels read it.
template <class Frame>
[[nodiscard]] per_row<double, typename Frame::memory> present_on_device(Frame& frame, index_t height) {
  check_padding(frame, height);
  using memory = typename Frame::memory;
  per_row<double, memory> const present{frame.template scratch<double>(1).data(), extents<tokens>{1}};
  frame.launch(kernel::count_present<memory>{.tokens = height, .padding = frame.inputs.padding, .present = present}, 1);
  return present;
}

/// How many of this rank's `height` tokens are no padding. Of a mask on a device a kernel counts them, and the host
/// waits; a captured step throws `unsupported`.
template <class Frame>
[[nodiscard]] index_t present_tokens(Frame& frame, index_t height) {
  check_padding(frame, height);
  auto const& padding = frame.inputs.padding;
  if (padding.data() == nullptr) return height;
  using execution_type = std::remove_reference_t<decltype(frame.execution())>;
  if constexpr (of_host<typename Frame::memory>) {
    index_t present = 0;
    for (index_t t = 0; t < height; ++t) present += padding(t) ? 0 : 1;
    return present;
  } else if constexpr (captures_steps<execution_type>) {
    throw error(
        error_kind::unsupported,
        "how many of " + std::to_string(height) + " tokens are no padding is asked of a mask, by a captured step",
        "leave padding out of a captured batch whose experts have a capacity");
  } else {
    host_sync const waits{frame.execution()};
    double present = 0;
    frame.execution().fetch(waits, per_row<double const, device_memory>{present_on_device(frame, height)},
                            std::span{&present, 1});
    return static_cast<index_t>(present);
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
