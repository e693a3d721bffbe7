// SPDX-License-Identifier: Apache-2.0
// How far logits are from those that another program stored.
#pragma once

#include "model.hpp"
#include <optional>

namespace hf {

struct difference {
  double largest = 0;           ///< the largest absolute difference
  double of_largest_logit = 0;  ///< the same over the largest absolute reference logit
  double relative_l2 = 0;       ///< |ours - theirs| / |theirs|
};

[[nodiscard]] difference difference_of(std::span<float const> ours, std::span<float const> theirs);

/// `logits` of `folder`/reference.safetensors; nothing where there are none, or where `tokens` are not those of the
/// folder.
[[nodiscard]] std::optional<std::vector<float>> stored_logits(model const& whole, batch const& tokens);

}  // namespace hf
