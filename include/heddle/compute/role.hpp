// SPDX-License-Identifier: Apache-2.0
// Which member of a layer's weights an operation multiplies by. A role is a type with one function, so sequences stay
// types and weights stay plain structs.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The layer has one parameter, and this is it.
struct whole {
  template <class Weights>
  static constexpr Weights const& of(Weights const& weights) {
    return weights;
  }
};
/// The router's matrix.
struct gate_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.gate;
  }
};
/// The first matrices of the experts (gate and up packed).
struct fc1_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.fc1;
  }
};
/// The first matrix of the shared expert.
struct shared_fc1_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.shared.fc1;
  }
};
/// Its second matrix.
struct shared_fc2_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.shared.fc2;
  }
};
/// The row that gates its output.
struct shared_gate_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.shared.gate;
  }
};
/// The second matrices of the experts.
struct fc2_role {
  template <class Weights>
  static constexpr auto const& of(Weights const& weights) {
    return weights.fc2;
  }
};

}  // namespace heddle::inline HEDDLE_ABI
