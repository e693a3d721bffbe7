// SPDX-License-Identifier: Apache-2.0
// Chunks of rows that arrived by source become ordered by expert, and back.
#pragma once

#include <heddle/compute/permute.hpp>
#include <heddle/kernel/chunk_sort.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- sort_chunks | unsort_chunks: (source, expert) -> (expert, source)

namespace detail {

/// Begins of the chunks before (source-major) and after (expert-major) the sort, and rows of each local expert.
template <class Frame>
struct chunk_layout {
  std::span<index_t> before, after, expert_rows;

  explicit chunk_layout(Frame& frame, std::size_t local_experts)
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
    begin = 0;
    for (std::size_t e = 0; e < local_experts; ++e) {
      index_t const first = begin;
      for (std::size_t q = 0; q < sources; ++q) {
        after[q * local_experts + e] = begin;
        begin += chunks[q * local_experts + e];
      }
      expert_rows[e] = begin - first;
    }
  }
};

template <class Frame, class Element, class Memory>
auto move_chunks(Frame& frame, rows<Element, Memory> x, std::span<index_t const> from, std::span<index_t const> to) {
  using value = std::remove_const_t<Element>;
  auto y = frame.template scratch_rows<value>(x.template size<tokens>(), x.template size<hidden>());
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
auto move_chunks(Frame& frame, row_gates<Memory, Weight> x, std::span<index_t const> from,
                 std::span<index_t const> to) {
  index_t const height = x.weights.count();
  rows<Weight const, Memory> const column{x.weights.data(), extents<tokens, hidden>{height, 1}};
  return row_gates<Memory, Weight>{{move_chunks(frame, column, from, to).data(), extents<tokens>{height}}};
}

}  // namespace detail

template <class Group, class Frame, class Element, class Memory>
auto run(sort_chunks<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  frame.routing.expert_rows = layout.expert_rows;
  return activation<std::remove_const_t<Element>, Memory>{
      detail::move_chunks(frame, x.data, layout.before, layout.after), x.full_hidden};
}
template <class Group, class Frame, class Memory, class Weight>
auto run(sort_chunks<Group>, Frame& frame, row_gates<Memory, Weight> weights) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  return detail::move_chunks(frame, weights, layout.before, layout.after);
}
template <class Group, class Frame, class Element, class Memory>
auto run(unsort_chunks<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  return activation<std::remove_const_t<Element>, Memory>{
      detail::move_chunks(frame, x.data, layout.after, layout.before), x.full_hidden};
}
template <class Group, class Frame, class Memory, class Weight>
auto run(unsort_chunks<Group>, Frame& frame, row_gates<Memory, Weight> weights) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  return detail::move_chunks(frame, weights, layout.after, layout.before);
}

}  // namespace heddle::inline HEDDLE_ABI
