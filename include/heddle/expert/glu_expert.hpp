// SPDX-License-Identifier: Apache-2.0
// An expert MLP with a gated activation: fc1 [2F, H] (gate|up packed), act(gate) * up, fc2 [H, F]; F may be cut over
// etp.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/expert/parts.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Mode` is `grouped`, `sequential` or `aligned`, `Activation` one that can stand on a gate, `Layout` how gate and up
/// are packed. Mixtral and its kin are `glu_expert<>`, GPT-OSS `glu_expert<grouped, gpt_oss, interleaved,
/// expert_options{.bias = true}>`.
template <class Mode = grouped, class Activation = silu, class Layout = halves,
          expert_options Options = expert_options{}>
struct glu_expert {
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups
      : detail::expert_parts<Mode, Options, ExpertParallel, ExpertTensor, typename Layout::packed,
                             typename Layout::plain,
                             glu<Activation, placement<on<ExpertTensor, sharded<hidden, typename Layout::packed>>>,
                                 placement<on<ExpertTensor, sharded<hidden, typename Layout::plain>>>, Layout>> {};
};

}  // namespace heddle::inline HEDDLE_ABI
