// SPDX-License-Identifier: Apache-2.0
// What flows through a sequence at run time. A value of constant elements is the caller's and is never written; a
// mutable one is scratch memory of the step and may be changed in place.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/team.hpp>
#include <heddle/tensor/view.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Activations: this rank's [tokens, hidden], and the width of the hidden axis over all ranks that share it.
template <class Element, class Memory = host_memory>
struct activation {
  rows<Element, Memory> data;  ///< this rank's rows and columns
  index_t full_hidden = 0;     ///< width over all ranks
};

/// Token ids: int64, one a row.
template <class Memory = host_memory>
struct token_ids {
  per_row<std::int64_t const, Memory> data;  ///< [tokens]
};

/// Routing weights [tokens, slots] and the experts they belong to, -1 for none. A gradient of weights has no ids.
template <class Memory = host_memory, real Weight = float>
struct gates {
  slot_view<Weight const, Memory> weights;
  slot_view<std::int32_t const, Memory> ids{};
};

/// One routing weight for every row in expert order.
template <class Memory = host_memory, real Weight = float>
struct row_gates {
  per_row<Weight const, Memory> weights;  ///< [rows]
};

/// Token copies back home with the weights of their sum: the product is taken in the sum itself.
template <class Element, class Memory = host_memory, real Weight = float>
struct weighted_copies {
  activation<Element, Memory> copies;  ///< rows in expert order
  slot_view<Weight const, Memory> weights;
};

/// What flows back where no gradient can: token ids have none.
struct no_gradient {};

/// The same value, read only: what a fork hands to each branch.
template <class Element, class Memory>
constexpr activation<Element const, Memory> borrow(activation<Element, Memory> x) {
  return {x.data, x.full_hidden};
}
template <class Element, class Memory>
constexpr activation<Element const, Memory> borrow(activation<Element const, Memory> x) {
  return x;
}
template <class Value>
constexpr Value borrow(Value value) {
  return value;
}

}  // namespace heddle::inline HEDDLE_ABI
