// SPDX-License-Identifier: Apache-2.0
// Chunks of rows that arrived by source become ordered by expert, and back.
#pragma once

#include <heddle/compute/permute.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/chunk_sort.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- sort_chunks | unsort_chunks: (source, expert) -> (expert, source)

namespace detail {

/// Begins of the chunks before (source-major) and after (expert-major) the sort, and rows of each local expert, with
/// the zeros that fill them up to a multiple of `align`.
template <class Frame>
struct chunk_layout {
  std::span<index_t> before, after, expert_rows;
  index_t rows = 0, aligned_rows = 0;

  explicit chunk_layout(Frame& frame, std::size_t local_experts, index_t align = 1)
      : before{frame.counts(frame.routing.chunks.size())},
        after{frame.counts(frame.routing.chunks.size())},
        expert_rows{frame.counts(local_experts)} {
    auto const chunks = frame.routing.chunks;
    std::size_t const sources = local_experts == 0 ? 0 : chunks.size() / local_experts;
    index_t begin = 0;
    for (std::size_t c = 0; c < chunks.size(); ++c) {
      before[c] = begin;
      begin += chunks[c];
    }
    rows = begin;
    begin = 0;
    for (std::size_t e = 0; e < local_experts; ++e) {
      index_t const first = begin;
      for (std::size_t q = 0; q < sources; ++q) {
        after[q * local_experts + e] = begin;
        begin += chunks[q * local_experts + e];
      }
      begin = first + rounded_up(begin - first, align);
      expert_rows[e] = begin - first;
    }
    aligned_rows = begin;
  }
};

template <class Frame, class Element, class Memory>
auto move_chunks(Frame& frame, rows<Element, Memory> x, std::span<index_t const> from, std::span<index_t const> to,
                 index_t height) {
  using value = std::remove_const_t<Element>;
  auto y = frame.template scratch_rows<value>(height, x.template size<hidden>());
  if (height > x.template size<tokens>()) frame.execution().fill_zero(y.data(), y.count());
  auto& execution = frame.execution();
  frame.launch(kernel::chunk_sort<value, Memory>{.x = x,
                                                 .from = execution.visible(from),
                                                 .to = execution.visible(to),
                                                 .sizes = execution.visible(frame.routing.chunks),
                                                 .y = y},
               static_cast<index_t>(frame.routing.chunks.size()));
  return y;
}
template <class Frame, class Memory, class Weight>
auto move_chunks(Frame& frame, row_gates<Memory, Weight> x, std::span<index_t const> from, std::span<index_t const> to,
                 index_t height) {
  rows<Weight const, Memory> const column{x.weights.data(), extents<tokens, hidden>{x.weights.count(), 1}};
  return row_gates<Memory, Weight>{{move_chunks(frame, column, from, to, height).data(), extents<tokens>{height}}};
}
template <class Frame, class Element, class Memory>
auto move_chunks(Frame& frame, activation<Element, Memory> x, std::span<index_t const> from,
                 std::span<index_t const> to, index_t height) {
  return activation<std::remove_const_t<Element>, Memory>{move_chunks(frame, x.data, from, to, height), x.full_hidden};
}

/// Rows or weights by expert, each expert's rows from a multiple of `align` on.
template <class Group, class Frame, class Value>
auto chunks_by_expert(Frame& frame, Value x, index_t align) {
  chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size), align};
  frame.routing.expert_rows = counts_of_host(frame, layout.expert_rows);
  return move_chunks(frame, x, layout.before, layout.after, layout.aligned_rows);
}
template <class Group, class Frame, class Value>
auto chunks_by_source(Frame& frame, Value x, index_t align) {
  chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size), align};
  return move_chunks(frame, x, layout.after, layout.before, layout.rows);
}

}  // namespace detail

template <class Group, class Frame, class Value>
auto run(sort_chunks<Group>, Frame& frame, Value x) {
  return detail::chunks_by_expert<Group>(frame, x, 1);
}
template <class Group, class Frame, class Value>
auto run(unsort_chunks<Group>, Frame& frame, Value x) {
  return detail::chunks_by_source<Group>(frame, x, 1);
}

// -- align_chunks | unalign_chunks: the same with zeros between experts

template <class Group, int Rows, class Frame, class Value>
auto run(align_chunks<Group, Rows>, Frame& frame, Value x) {
  return detail::chunks_by_expert<Group>(frame, x, Rows);
}
template <class Group, int Rows, class Frame, class Value>
auto run(unalign_chunks<Group, Rows>, Frame& frame, Value x) {
  return detail::chunks_by_source<Group>(frame, x, Rows);
}

}  // namespace heddle::inline HEDDLE_ABI
