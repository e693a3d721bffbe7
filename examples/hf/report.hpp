// SPDX-License-Identifier: Apache-2.0
// What hf_forward prints on stdout.
#pragma once

#include "job.hpp"

namespace hf {

/// The table: for every kind of layer the style of each parameter, the shapes the ranks own, and the collectives in
/// order with the bytes each rank sends. With `describe` also the sequences themselves.
void print_plan(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens, bool describe);

/// Speed, bytes sent, memory, and the difference to the stored logits where there are any.
void print_outcome(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens,
                   outcome const& done);

}  // namespace hf
