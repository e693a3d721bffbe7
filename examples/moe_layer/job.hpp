// SPDX-License-Identifier: Apache-2.0
// The part of a run that one rank does.
#pragma once

#include "answer.hpp"
#include "choice.hpp"
#include "communicator.hpp"

namespace probe {

/// Throws unsupported where the layer asks for what the build does not have. To be called before a rank starts.
template <class T>
void require_supported(problem<T> const& of, choice const& chosen);

/// Runs the layer on this rank's chunk of the tokens, forward and, where the problem has a grad_output, backward;
/// collective over `world`. The answer is complete on rank 0.
template <class T>
[[nodiscard]] answer<T> run_layer(communicator& world, problem<T> const& of, choice const& chosen);

}  // namespace probe
