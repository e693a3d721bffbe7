// SPDX-License-Identifier: Apache-2.0
// Rows of a table by token id. Ids outside the local part of the vocabulary give zero rows, so the sum over the group
// is the whole lookup.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class From, class To, class Parameter>
struct embed;
template <class From, class To, class Parameter>
struct embed_grad;

/// Ids [rows] -> [rows, hidden]. `Parameter` says how the table [vocab, hidden] is cut. It is linear in the table, not
/// in its ids: the sum of ids over a group is no id.
template <class From, class To, class Parameter>
struct embed : operation_base<"embedding", From, To, embed_grad<From, To, Parameter>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
  using parameter = Parameter;
  using role = whole;
};

/// Ids have no gradient: the operation ends the backward pass and leaves the gradient of the table.
template <class From, class To, class Parameter>
struct embed_grad : operation_base<"embedding_grad", dual_t<To>, dual_t<From>, embed<From, To, Parameter>> {};

}  // namespace heddle::inline HEDDLE_ABI
