// SPDX-License-Identifier: Apache-2.0
// Experts that no token chose: dealt out evenly or at random, to measure a system under a known load. The weights are
// those of the live logits, and have gradients. They do not depend on how tokens are dealt over ranks, where every rank
// gives the number of its first token in the step's inputs. Use them as a choice: `choose<rule, 8, round_robin>`.
#pragma once

#include <heddle/router/choose.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Token n gets experts n k, n k + 1, ... modulo their number (torchtitan).
struct round_robin : best_experts {
  static constexpr fixed_string name = "round_robin";
  static constexpr fixed_string grad_name = "round_robin_grad";
};

/// Every token gets k of all experts, by the seed of the step's inputs.
struct at_random : best_experts {
  static constexpr fixed_string name = "at_random";
  static constexpr fixed_string grad_name = "at_random_grad";
};

}  // namespace heddle::inline HEDDLE_ABI
