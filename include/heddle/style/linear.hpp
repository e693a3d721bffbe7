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

/// The same weight on every rank, on activations that every rank has.
struct replicated_linear {
  static constexpr fixed_string name = "replicated";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<gemm<placement<>, placement<>, placement<>>, add_bias<placement<>, placement<>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
