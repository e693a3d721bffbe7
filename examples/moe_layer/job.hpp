// SPDX-License-Identifier: Apache-2.0
// The part of a run that one rank does.
#pragma once

#include "answer.hpp"
#include "communicator.hpp"

namespace probe {

/// Runs the layer on this rank's chunk of the tokens, forward and, where the problem has a grad_output, backward;
/// collective over `world`. The answer is complete on rank 0.
template <class T>
[[nodiscard]] answer<T> run_layer(communicator& world, problem<T> const& of, choice const& chosen);

extern template answer<float> run_layer<float>(communicator&, problem<float> const&, choice const&);
extern template answer<double> run_layer<double>(communicator&, problem<double> const&, choice const&);

}  // namespace probe
