// SPDX-License-Identifier: Apache-2.0
// What every expert with two matrices is made of: fc1, something between, fc2, with or without biases. The rows are on
// the rank of their expert, which may share it with the other ranks of a tensor group.
#pragma once

#include <heddle/compute/expert_bias.hpp>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/compute/pad_rows.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// What an expert may have besides its matrices.
struct expert_options {
  bool bias = false;       ///< both matrices have one, in `expert_linear::bias`
  bool recompute = false;  ///< what lies behind fc1 is not saved: the backward pass computes it again
};

namespace detail {

/// An expert on its two groups: placements from `entered` to `left`, weights cut over experts and ffn, and the pieces
/// that a body is put together from. `Wide` and `Narrow` cut the axis before and behind `Between`. What leaves is
/// `partial` over `ExpertTensor`.
template <class Mode, expert_options Options, class ExpertParallel, class ExpertTensor, class Wide, class Narrow,
          class Between>
struct expert_parts {
  using entered = placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>;
  using wide = placement<on<ExpertParallel, routed>, on<ExpertTensor, sharded<hidden, Wide>>>;
  using narrow = placement<on<ExpertParallel, routed>, on<ExpertTensor, sharded<hidden, Narrow>>>;
  using left = placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>;
  using fc1_weight = placement<on<ExpertParallel, sharded<experts>>, on<ExpertTensor, sharded<out_features, Wide>>>;
  using fc2_weight = placement<on<ExpertParallel, sharded<experts>>, on<ExpertTensor, sharded<in_features, Narrow>>>;
  /// Every rank of the tensor group has the second bias; the first of them adds it.
  using fc2_bias = placement<on<ExpertParallel, sharded<experts>>>;

  template <bool Present, class Operation>
  using optional = std::conditional_t<Present, sequence<Operation>, sequence<>>;

  /// Into groups of as many rows as the products want, and out of them.
  using enter = optional<Mode::multiple != 1, pad_rows<ExpertParallel, Mode>>;
  using leave = conjugate_t<enter>;

  using first = concat_t<sequence<expert_gemm<Mode, entered, wide, fc1_weight, fc1_role>>,
                         optional<Options.bias, add_expert_bias<Mode, wide, fc1_weight, fc1_role>>>;
  using activate = sequence<Between>;
  using product = sequence<expert_gemm<Mode, narrow, left, fc2_weight, fc2_role>>;
  using bias = optional<Options.bias, add_expert_bias<Mode, left, fc2_bias, fc2_role>>;
  using weighted_bias = optional<Options.bias, add_weighted_bias<Mode, left, entered, fc2_bias, fc2_role>>;
  using second = concat_t<product, bias>;
  static constexpr bool biased = Options.bias;
  static constexpr bool recomputes = Options.recompute;
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
