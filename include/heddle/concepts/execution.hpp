// SPDX-License-Identifier: Apache-2.0
// What a backend gives the interpreters: memory, multiplication, kernel launches, the order of rows, and communicators.
#pragma once

#include <concepts>
#include <heddle/tensor/view.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// - `communicator<Group>()`: the communicator of a group (not checked here: the groups are the layer's).
/// - `multiply(x, w, y)`, `multiply_grouped(x, counts, w, y)`: see concepts/gemm.hpp. A backward pass asks also for
///   `multiply_transposed`, `accumulate_outer` and the two with `_grouped`.
/// - `launch(kernel, rows)`: kernel(team, row) for every row.
/// - `allocate<T>(n)`: scratch in `memory`; `allocate_counts(n)`: scratch on the host.
/// - `order_by_expert(ids, first, counts, row_to_token, row_to_slot, slot_to_row)`: a stable order of the pairs whose
///   expert is in [first, first + counts.size()), by expert, token, slot; others get row -1. Returns the rows used.
/// - `visible(counts)`: counts where a kernel can read them.
template <class Type>
concept execution = requires(Type& backend, rows<float const, typename Type::memory> x,
                             matrix<float const, typename Type::memory> w, rows<float, typename Type::memory> y,
                             std::span<index_t const> counts) {
  typename Type::memory;
  backend.multiply(x, w, y);
  { backend.template allocate<float>(index_t{}) } -> std::same_as<float*>;
  { backend.allocate_counts(index_t{}) } -> std::same_as<index_t*>;
  backend.visible(counts);
};

}  // namespace heddle::inline HEDDLE_ABI
