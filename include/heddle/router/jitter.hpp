// SPDX-License-Identifier: Apache-2.0
// Noise on what a router sees, and on nothing else: every number times one from 1 - e to 1 + e (Switch Transformer,
// Mixtral, Megatron).
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Rows times noise of half the width `options.jitter`, the same forward and backward: it is its own conjugate. A
/// number depends on the step's seed, its token and its column, not on the rank. Stands before the gate.
struct jitter : operation_base<"jitter", placement<>, placement<>, jitter> {};

}  // namespace heddle::inline HEDDLE_ABI
