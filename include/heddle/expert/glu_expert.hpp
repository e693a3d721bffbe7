// SPDX-License-Identifier: Apache-2.0
// An expert MLP with a gated activation: fc1 [2F, H] (gate|up packed), act(gate) * up, fc2 [H, F]; F may be cut over
// etp.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/compute/bias.hpp>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Mode` is `grouped` or `sequential`.
template <class Mode = grouped, class Activation = silu>
struct glu_expert {
  /// The expert on its two groups: placements from `entered` to `left`, weights cut over experts and ffn, and the three
  /// sequences between which a gate scale can stand. What leaves is `partial` over `ExpertTensor`.
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups {
    using ffn_packed = sharded<hidden, segmented<ceil_chunk, 1, 1>>;
    using entered = placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>;
    using wide = placement<on<ExpertParallel, routed>, on<ExpertTensor, ffn_packed>>;
    using narrow = placement<on<ExpertParallel, routed>, on<ExpertTensor, sharded<hidden>>>;
    using left = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
    using fc1_weight = placement<on<ExpertParallel, sharded<experts>>,
                                 on<ExpertTensor, sharded<out_features, segmented<ceil_chunk, 1, 1>>>>;
    using fc2_weight = placement<on<ExpertParallel, sharded<experts>>, on<ExpertTensor, sharded<in_features>>>;

    using first = sequence<expert_gemm<Mode, entered, wide, fc1_weight, fc1_role>>;
    using activate = sequence<
        glu<Activation, placement<on<ExpertTensor, ffn_packed>>, placement<on<ExpertTensor, sharded<hidden>>>>>;
    using second = sequence<expert_gemm<Mode, narrow, left, fc2_weight, fc2_role>>;
  };
};

}  // namespace heddle::inline HEDDLE_ABI
