// SPDX-License-Identifier: Apache-2.0
// The short form of a router: logits = x W^T + b, k experts a token and their weights. Rules are policies of one kernel
// (kernel/weigh.hpp); the formulas are those of the models named beside them.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The policy: by which rule, and k where it is known at compile time.
template <class Rule, int TopK = static_cast<int>(dynamic)>
struct top_k {
  using route = sequence<gemm<placement<>, placement<>, placement<>, gate_role>,
                         add_bias<placement<>, placement<>, gate_role>, choose<Rule, TopK>>;
};

}  // namespace heddle::inline HEDDLE_ABI
