// SPDX-License-Identifier: Apache-2.0
// The other way round: every expert chooses the tokens of a rank that it scores best, as many as its capacity (Zhou et
// al., "Mixture-of-experts with expert choice routing", NeurIPS 2022). A token may be nobody's, or everybody's.
#pragma once

#include <heddle/router/choose.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A choice for `choose`. A token has a slot for every expert; k and `options.capacity_factor` say how many tokens an
/// expert takes, see `expert_capacity`. The bias of experts and limits on groups have no part in it.
struct expert_choice {
  static constexpr fixed_string name = "expert_choice";
  static constexpr fixed_string grad_name = "expert_choice_grad";
  using at = placement<>;
  static constexpr bool communicates = false;
  [[nodiscard]] static constexpr index_t slots_of(index_t, index_t experts) { return experts; }
};

}  // namespace heddle::inline HEDDLE_ABI
