// SPDX-License-Identifier: Apache-2.0
// The styles of embedding tables [vocab, hidden].
#pragma once

#include <heddle/compute/embedding.hpp>
#include <heddle/style/style.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A table's sentence: how it is cut, what a lookup in the local part gives, and where the rows shall lie.
template <fixed_string Name, class Group, class Table, class Lookup, class Output>
struct embedding_style {
  static constexpr auto name = Name;
  using group = Group;
  using weight = placement<on<Group, Table>>;
  using bias = placement<>;
  using forward = concat_t<sequence<embed<placement<on<Group, replicated>>, placement<on<Group, Lookup>>, weight>>,
                           convert_t<Group, Lookup, Output>>;
  using backward = conjugate_t<forward>;
};

/// Ranks own parts of the vocabulary: ids of others give zero rows, and the sum is the lookup.
template <class Group, class Output = replicated>
using embedding_rowwise = embedding_style<"embedding_rowwise", Group, sharded<vocab>, partial, Output>;

/// Ranks own columns of every row: the lookup is put together from them.
template <class Group, class Output = replicated>
using embedding_colwise = embedding_style<"embedding_colwise", Group, sharded<hidden>, sharded<hidden>, Output>;

}  // namespace heddle::inline HEDDLE_ABI
