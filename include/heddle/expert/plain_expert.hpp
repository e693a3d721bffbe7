// SPDX-License-Identifier: Apache-2.0
// An expert MLP without a gate: fc1 [F, H], an activation of every element, fc2 [H, F]; F may be cut over etp.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/expert/parts.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Mode` is `grouped`, `sequential` or `aligned`, `Activation` one that can stand alone.
template <class Mode = grouped, class Activation = squared_relu, expert_options Options = expert_options{}>
struct plain_expert {
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups : detail::expert_parts<Mode, Options, ExpertParallel, ExpertTensor, ceil_chunk, ceil_chunk,
                                          activate<Activation, placement<on<ExpertTensor, sharded<hidden>>>>> {};
};

}  // namespace heddle::inline HEDDLE_ABI
