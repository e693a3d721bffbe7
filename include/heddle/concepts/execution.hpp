// SPDX-License-Identifier: Apache-2.0
// What a backend gives the interpreters: memory, multiplication, kernel launches, the order of rows, and communicators.
#pragma once

#include <concepts>
#include <cstdint>
#include <heddle/concepts/counts.hpp>
#include <heddle/tensor/view.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// What every layer asks for:
/// - `communicator<Group>()`: the communicator of a group (not checked here: the groups are the layer's).
/// - `multiply(x, w, y)`: see concepts/gemm.hpp; a backward pass asks also for `multiply_transposed` and
///   `accumulate_outer`, experts for the three with `_grouped`, whose second argument is `counts<memory>`.
/// - `launch(kernel, rows)`: kernel(team, row) for every row.
/// - `allocate<T>(n)`: scratch in `memory`; `allocate_counts(n)`: scratch on the host; `fill_zero(data, n)`.
/// - `order_by_expert(ids, first, experts, row_to_token, row_to_slot, slot_to_row)`: a stable order of the pairs whose
///   expert is in [first, first + experts), by expert, token, slot; others get row -1. Returns the rows of each expert
///   as `counts<memory>`; where only kernels know them, rows behind the last have token and slot -1.
/// - `visible(counts)`: counts of the host where a kernel can read them.
/// What some may have besides: `now`, `allocated_since` and `keep_only`, by which memory of recomputed branches is
/// given back early; `lending` and `lend`, for parameters that are gathered for one use; `lane`, for branches beside.
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

/// What an execution has besides where the host does not see its memory:
/// - `allocate_here<T>(n)`: objects of the host, until the step ends, beside scratch that only kernels see.
/// - `numbers<Group>()`: the communicator of a group for what the host knows (not checked here).
/// - `fetch(token, view, into)`: numbers of `memory` in `into`, the one member that waits; the token is a `host_sync`.
template <class Type>
concept device_execution = execution<Type> &&
    requires(Type& backend, host_sync token, view<index_t const, extents<tokens>, typename Type::memory> numbers,
             slot_view<std::int32_t const, typename Type::memory> ids, std::span<std::int32_t> list,
             slot_view<std::int32_t, typename Type::memory> rows_of_slots, std::span<index_t> into) {
  { backend.template allocate_here<double>(index_t{}) } -> std::same_as<double*>;
  { backend.order_by_expert(ids, 0, 0, list, list, rows_of_slots) } -> std::same_as<counts<typename Type::memory>>;
  backend.fill_zero(into.data(), index_t{});
  backend.fetch(token, numbers, into);
};

}  // namespace heddle::inline HEDDLE_ABI
