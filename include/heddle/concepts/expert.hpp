// SPDX-License-Identifier: Apache-2.0
// What makes a type an expert: three sequences on a pair of groups, so that the gate scale can stand between any two.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Type, class ExpertParallel, class ExpertTensor>
concept expert = requires {
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::first;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::activate;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::second;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::entered;
  typename Type::template on_groups<ExpertParallel, ExpertTensor>::left;
};

}  // namespace heddle::inline HEDDLE_ABI
