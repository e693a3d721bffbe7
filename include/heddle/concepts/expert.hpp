// SPDX-License-Identifier: Apache-2.0
// What makes a type an expert: three sequences on a pair of groups, so that the gate scale can stand between any two.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `first`, `activate` and `second` are the sequences; `entered` and `left` the placements of the rows before
/// and behind.
template <class Type, class ExpertParallel, class ExpertTensor>
concept expert = requires {
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::first;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::activate;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::second;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::entered;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::left;
};

}  // namespace heddle::inline HEDDLE_ABI
