// SPDX-License-Identifier: Apache-2.0
// The numbers a router takes at run time besides its parameters. Each is read by the operation whose option it is.
#pragma once

#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Part of the weights of a layer, the same on every rank.
struct routing_options {
  double jitter = 0;            ///< `jitter`: half the width of the noise on what the router sees, 0 to 1
  double capacity_factor = 1;   ///< `drop`: rows that an expert has room for, in even shares
  index_t least_capacity = 0;   ///< `drop`: but at least so many
  double aux_coeff = 0;         ///< `losses`: of the balance loss
  double z_coeff = 0;           ///< `losses`: of the loss on the size of the logits
  index_t sequence_length = 0;  ///< `losses`: tokens of a sequence, where the balance is that of every sequence
  double loss_scale = 1;  ///< `losses`: what the gradients are multiplied by, as the caller does with its own loss
};

}  // namespace heddle::inline HEDDLE_ABI
