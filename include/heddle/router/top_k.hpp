// SPDX-License-Identifier: Apache-2.0
// The short form of a router: logits = x W^T + b, k experts a token and their weights. Rules are policies of one kernel
// (kernel/weigh.hpp); the formulas are those of the models named beside them.
#pragma once

#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The policy: by which rule, and k where it is known at compile time.
template <class Rule, int TopK = static_cast<int>(dynamic)>
struct top_k {
  using route = concat_t<gate, sequence<choose<Rule, TopK>>>;
};

}  // namespace heddle::inline HEDDLE_ABI
