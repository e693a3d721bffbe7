// SPDX-License-Identifier: Apache-2.0
// The key-value down projection of multi-head latent attention (DeepSeek-V2).
#pragma once

#include <heddle/compute/columns.hpp>
#include <heddle/sequence/combinators.hpp>
#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A replicated projection to [latent | rope]. The latent part goes on replicated (kv_b_proj, a colwise style, copies
/// it); the rope part goes straight to heads that are sharded, so each rank uses it differently from here.
template <class Group>
struct mla_kv_a_proj {
  static constexpr fixed_string name = "mla_kv_a_proj";
  using group = Group;
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<gemm<placement<>, placement<>, placement<>>, add_bias<placement<>, placement<>>, slice<>,
                           on_port<1, sequence<copy<Group>>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
