// SPDX-License-Identifier: Apache-2.0
// The styles of linear layers, each one line: group, input, weight, bias, output. Weights are [out, in].
#pragma once

#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

/// gate|up halves of one matrix.
using two_segments = segmented<ceil_chunk, 1, 1>;

/// Out features are cut; ranks enter with the whole activation (`replicated`) or a part of the tokens
/// (`sharded<tokens>`, sequence parallelism) and leave with their features.
template <class Group, class Input = replicated>
using colwise = linear_style<"colwise", Group, Input, sharded<out_features>, sharded<out_features>, sharded<hidden>>;

/// As colwise, and every rank ends with all features.
template <class Group, class Input = replicated>
using colwise_gather_output =
    linear_style<"colwise_gather_output", Group, Input, sharded<out_features>, sharded<out_features>, replicated>;

/// In features are cut, as colwise left them; the sum goes to every rank or, sharded over tokens, to each its part.
template <class Group, class Output = replicated>
using rowwise = linear_style<"rowwise", Group, sharded<hidden>, sharded<in_features>, replicated, Output>;

/// As rowwise, from a whole activation.
template <class Group, class Output = replicated>
using rowwise_split_input =
    linear_style<"rowwise_split_input", Group, replicated, sharded<in_features>, replicated, Output>;

/// As colwise for several matrices packed into one; weight and bias are cut segment by segment.
template <class Group, class Segments = two_segments, class Input = replicated>
using packed_colwise = linear_style<"packed_colwise", Group, Input, sharded<out_features, Segments>,
                                    sharded<out_features, Segments>, sharded<hidden, Segments>>;

/// As rowwise for an input that is packed, cut segment by segment.
template <class Group, class Segments = two_segments, class Output = replicated>
using packed_rowwise = linear_style<"packed_rowwise", Group, sharded<hidden, Segments>, sharded<in_features, Segments>,
                                    replicated, Output>;

/// A linear layer without a group: everything lies as `Whole` says. (A template, so that its sentence is checked where
/// somebody uses it.)
template <class Whole>
struct linear_without_group {
  static constexpr fixed_string name = "replicated";
  using weight = Whole;
  using bias = Whole;
  using forward = sequence<gemm<Whole, Whole, Whole>, add_bias<Whole, Whole>>;
  using backward = conjugate_t<forward>;
};

/// The same weight on every rank, on activations that every rank has.
using replicated_linear = linear_without_group<placement<>>;

}  // namespace heddle::inline HEDDLE_ABI
