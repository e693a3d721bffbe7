// SPDX-License-Identifier: Apache-2.0
// What gates of tokens and padding do at run time.
#pragma once

#include <heddle/compute/token_gate.hpp>
#include <heddle/kernel/token_gate.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At, class Frame, class Real, class Memory>
auto run(token_gate<At>, Frame& frame, activation<Real, Memory> logits) {
  using value = std::remove_const_t<Real>;
  index_t const height = logits.data.template size<tokens>();
  detail::check_width("the logit of a gate", logits.data.template size<hidden>(), 1);
  per_row<value, Memory> const y{frame.template scratch<value>(height).data(), extents<tokens>{height}};
  frame.launch(kernel::token_gate<value, Memory>{.z = logits.data, .y = y}, height);
  return row_gates<Memory, value>{y};
}
template <class At, class Frame, class Memory, class Weight>
auto run(token_gate_grad<At>, Frame& frame, kept<row_gates<Memory, Weight>> const& saved,
         row_gates<Memory, Weight> dy) {
  index_t const height = dy.weights.count();
  auto dz = frame.template scratch_rows<Weight>(height, 1);
  frame.launch(
      kernel::token_gate_grad<Weight, Memory>{.y = std::get<0>(saved.values).weights, .dy = dy.weights, .dz = dz},
      height);
  return activation<Weight, Memory>{dz, 1};
}

template <class At, class Frame, class Element, class Memory>
auto run(mask_padding<At>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto const& padding = frame.inputs.padding;
  index_t const height = x.data.template size<tokens>();
  if (padding.data() != nullptr && padding.count() != height) {
    throw error(error_kind::shape,
                "the padding mask has " + std::to_string(padding.count()) + " entries for " + std::to_string(height) +
                    " tokens",
                "give one entry for every token of the rank");
  }
  if (padding.data() == nullptr) return x;
  auto const y = detail::place_for(frame, x);
  frame.launch(kernel::mask_padding<value, Memory>{.x = x.data, .padding = padding, .y = y}, height);
  return activation<Element, Memory>{y, x.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
