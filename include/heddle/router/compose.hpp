// SPDX-License-Identifier: Apache-2.0
// A router from parts, each an operation or a sequence of them, in the order in which they act:
//
//   composed_router<jitter, gate_in<double>, losses<...>, choose<rule, 8>, drop<drop_by::probability>>
//
// Before the choice stands what makes logits, changes or judges them, behind it what changes choices.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/sequence/sequence.hpp>

namespace heddle::inline HEDDLE_ABI {

/// logits = x W^T, plus the router's bias where it has one. Logits have the accumulator type of the parameters.
using gate =
    sequence<gemm<placement<>, placement<>, placement<>, gate_role>, add_bias<placement<>, placement<>, gate_role>>;

namespace detail {

template <class Part>
struct as_sequence {
  using type = sequence<Part>;
};
template <class... Operations>
struct as_sequence<sequence<Operations...>> {
  using type = sequence<Operations...>;
};

}  // namespace detail

/// What expert_parallel takes as its router.
template <class... Parts>
struct composed_router {
  using route = concat_t<typename detail::as_sequence<Parts>::type...>;
};

}  // namespace heddle::inline HEDDLE_ABI
