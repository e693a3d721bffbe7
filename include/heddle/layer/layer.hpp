// SPDX-License-Identifier: Apache-2.0
// Styles in a row, checked as one sequence.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/parameter_gradients.hpp>
#include <heddle/style/linear.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The activation between a packed colwise and a rowwise style.
template <class Group, class Activation = silu>
struct gated {
  static constexpr fixed_string name = "gated";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<
      glu<Activation, placement<on<Group, sharded<hidden, two_segments>>>, placement<on<Group, sharded<hidden>>>>>;
  using backward = conjugate_t<forward>;
};

/// A layer's forward sequence is its styles' sequences in order; its backward pass is the conjugate. Its weights are a
/// tuple with one entry for each style that has parameters.
template <parallel_style... Styles>
struct layer {
  static constexpr fixed_string name = "layer";
  using weight = placement<>;
  using bias = placement<>;
  using styles = type_list<Styles...>;
  using forward = concat_t<sequence<>, typename Styles::forward...>;
  using backward = conjugate_t<forward>;
  using from = typename forward::from;
  using to = typename forward::to;
  using gradients = parameter_gradients_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
