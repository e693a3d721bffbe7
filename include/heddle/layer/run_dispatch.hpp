// SPDX-License-Identifier: Apache-2.0
// What the dispatchers' operations do at run time: tokens into expert order, to the ranks of their experts, and home.
// Notation of counts: e experts a rank, EP ranks in the expert group, ETP in the tensor group inside it.
#pragma once

#include <heddle/collective/all_to_all.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/kernel/chunk_sort.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/take_gates.hpp>
#include <heddle/kernel/unpermute.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Orders the step's (token, slot) pairs by expert, over `experts` experts whose first is `first`.
template <class Frame>
index_t order_by_expert(Frame& frame, index_t first, index_t experts) {
  auto& routing = frame.routing;
  auto const shape = routing.ids.shape();
  auto row_to_token = frame.template scratch<std::int32_t>(shape.count());
  auto row_to_slot = frame.template scratch<std::int32_t>(shape.count());
  auto slot_to_row = frame.template scratch<std::int32_t>(shape.count());
  auto expert_rows = frame.counts(static_cast<std::size_t>(experts));
  index_t const used = frame.execution().order_by_expert(routing.ids, first, expert_rows, row_to_token, row_to_slot, {slot_to_row.data(), shape});
  routing.slot_to_row = {slot_to_row.data(), shape};
  routing.row_to_token = {row_to_token.data(), extents<tokens>{used}};
  routing.row_to_slot = {row_to_slot.data(), extents<tokens>{used}};
  routing.expert_rows = expert_rows;
  return used;
}

template <class Frame, class Element, class Memory>
auto take_rows(Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const used = frame.routing.row_to_token.count();
  auto y = frame.template scratch_rows<value>(used, x.data.template size<hidden>());
  frame.launch(kernel::permute<value, Memory>{.x = x.data, .row_to_token = frame.routing.row_to_token, .y = y}, used);
  return activation<value, Memory>{y, x.full_hidden};
}
template <class Frame, class Memory>
auto take_rows(Frame& frame, gates<Memory> weights) {
  auto const& routing = frame.routing;
  index_t const used = routing.row_to_token.count();
  per_row<float, Memory> const y{frame.template scratch<float>(used).data(), extents<tokens>{used}};
  frame.launch(kernel::take_gates<Memory>{.weights = weights.weights, .row_to_token = routing.row_to_token, .row_to_slot = routing.row_to_slot, .y = y}, used);
  return row_gates<Memory>{y};
}

template <class Frame, class Element, class Memory>
auto sum_copies(Frame& frame, activation<Element, Memory> copies, slot_view<float const, Memory> weights) {
  using value = std::remove_const_t<Element>;
  index_t const height = frame.routing.slot_to_row.template size<tokens>();
  auto y = frame.template scratch_rows<value>(height, copies.data.template size<hidden>());
  frame.launch(kernel::unpermute<value, Memory>{.x = copies.data, .slot_to_row = frame.routing.slot_to_row, .weights = weights, .y = y}, height);
  return activation<value, Memory>{y, copies.full_hidden};
}

}  // namespace detail

// -- permute | unpermute

template <class Group, class Frame, class Element, class Memory>
auto run(permute<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::order_by_expert(frame, 0, frame.routing.experts);
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory>
auto run(permute<Group>, Frame& frame, gates<Memory> weights) { return detail::take_rows(frame, weights); }

template <class Group, class Frame, class Element, class Memory>
auto run(unpermute<Group>, Frame& frame, activation<Element, Memory> copies) {
  return detail::sum_copies(frame, copies, slot_view<float const, Memory>{});
}
template <class Group, class Frame, class Element, class Memory>
auto run(unpermute<Group>, Frame& frame, weighted_copies<Element, Memory> x) { return detail::sum_copies(frame, x.copies, x.weights); }

// -- select | unselect

template <class Group, class Frame, class Element, class Memory>
auto run(select_local<Group>, Frame& frame, activation<Element, Memory> x) {
  range const own = own_experts<Group>(frame);
  detail::order_by_expert(frame, own.begin, own.size);
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory>
auto run(select_local<Group>, Frame& frame, gates<Memory> weights) { return detail::take_rows(frame, weights); }

template <class Group, class Frame, class Element, class Memory>
auto run(unselect_local<Group>, Frame& frame, activation<Element, Memory> rows) {
  return detail::sum_copies(frame, rows, slot_view<float const, Memory>{});
}

// -- gathers of routing weights: the ids go with them

template <class Group, class Partition, class Frame, class Memory>
auto run(all_gather<Group, tokens, Partition>, Frame& frame, gates<Memory> weights) {
  auto& group = frame.template communicator<Group>();
  index_t const k = weights.weights.template size<slots>();
  auto const heights = detail::exchange_rows<Group>(frame, weights.weights.template size<tokens>());
  auto const counts = detail::times(frame, heights, k);
  extents<tokens, slots> const shape{detail::sum_of(heights), k};
  auto ids = frame.template scratch<std::int32_t>(shape.count());
  auto values = frame.template scratch<float>(shape.count());
  auto const own = static_cast<std::size_t>(weights.weights.count());
  group.all_gather(std::span<std::int32_t const>{frame.routing.ids.data(), own}, ids, counts);
  group.all_gather(std::span<float const>{weights.weights.data(), own}, values, counts);
  frame.routing.ids = {ids.data(), shape};
  return gates<Memory>{{values.data(), shape}};
}

// -- all_to_all: rows of every expert go to its rank; ranks first tell each other how many

namespace detail {

template <class Group, class Frame>
void exchange_counts(Frame& frame) {
  auto& group = frame.template communicator<Group>();
  auto& routing = frame.routing;
  auto const parts = static_cast<std::size_t>(group.size());
  index_t const own = own_experts<Group>(frame).size;
  auto experts_of = pieces<ceil_chunk>(frame, routing.experts, group.size());
  auto from_each = frame.counts(parts);
  auto sent = frame.counts(parts);
  auto received = frame.counts(parts);
  auto chunks = frame.counts(parts * static_cast<std::size_t>(own));
  std::size_t expert = 0;
  for (std::size_t r = 0; r < parts; ++r) {
    from_each[r] = own;
    sent[r] = sum_of(routing.expert_rows.subspan(expert, static_cast<std::size_t>(experts_of[r])));
    expert += static_cast<std::size_t>(experts_of[r]);
  }
  group.all_to_all(routing.expert_rows, experts_of, chunks, from_each);
  for (std::size_t r = 0; r < parts; ++r) {
    received[r] = sum_of(std::span<index_t const>{chunks}.subspan(r * static_cast<std::size_t>(own), static_cast<std::size_t>(own)));
  }
  routing.sent = sent;
  routing.received = received;
  routing.chunks = chunks;
}

template <class Group, class Frame, class Element, class Memory>
auto exchange_rows_to(Frame& frame, activation<Element, Memory> x, std::span<index_t const> sent, std::span<index_t const> received) {
  using value = std::remove_const_t<Element>;
  index_t const width = x.data.template size<hidden>();
  auto y = frame.template scratch_rows<value>(sum_of(received), width);
  frame.template communicator<Group>().all_to_all(std::span<value const>{flat(x.data)}, times(frame, sent, width), flat(y), times(frame, received, width));
  return activation<value, Memory>{y, x.full_hidden};
}

}  // namespace detail

template <class Group, class Frame, class Element, class Memory>
auto run(all_to_all<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::exchange_counts<Group>(frame);
  return detail::exchange_rows_to<Group>(frame, x, frame.routing.sent, frame.routing.received);
}
template <class Group, class Frame, class Memory>
auto run(all_to_all<Group>, Frame& frame, row_gates<Memory> weights) {
  auto const& routing = frame.routing;
  auto y = frame.template scratch<float>(detail::sum_of(routing.received));
  auto const own = static_cast<std::size_t>(weights.weights.count());
  frame.template communicator<Group>().all_to_all(std::span<float const>{weights.weights.data(), own}, routing.sent, y, routing.received);
  return row_gates<Memory>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
}
template <class Group, class Frame, class Element, class Memory>
auto run(all_to_all_back<Group>, Frame& frame, activation<Element, Memory> x) {
  return detail::exchange_rows_to<Group>(frame, x, frame.routing.received, frame.routing.sent);
}

// -- routed rows over the tensor group: every rank of it gets the copies of all, and knows which chunk is whose

template <class Group, class Frame, class Element, class Memory>
auto run(all_gather<Group, tokens, as_given>, Frame& frame, activation<Element, Memory> x) {
  auto& routing = frame.routing;
  auto& group = frame.template communicator<Group>();
  if (!routing.chunks.empty() && group.size() > 1) {
    auto const parts = static_cast<std::size_t>(group.size());
    auto gathered = frame.counts(parts * routing.chunks.size());
    auto heights = frame.counts(parts);
    group.all_gather(routing.chunks, gathered);
    for (std::size_t r = 0; r < parts; ++r) {
      heights[r] = detail::sum_of(std::span<index_t const>{gathered}.subspan(r * routing.chunks.size(), routing.chunks.size()));
    }
    routing.chunks = gathered;
    frame.template remember_rows<Group>(heights);
  }
  return gather_rows<Group>(frame, x);
}
template <class Group, class Partition, class Frame, class Memory>
auto run(all_gather<Group, tokens, Partition>, Frame& frame, row_gates<Memory> weights) {
  auto const heights = detail::exchange_rows<Group>(frame, weights.weights.count());
  auto y = frame.template scratch<float>(detail::sum_of(heights));
  frame.template communicator<Group>().all_gather(std::span<float const>{weights.weights.data(), static_cast<std::size_t>(weights.weights.count())}, y, heights);
  return row_gates<Memory>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
}

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
  frame.launch(kernel::chunk_sort<value, Memory>{.x = x, .from = execution.visible(from), .to = execution.visible(to),
                                                 .sizes = execution.visible(frame.routing.chunks), .y = y},
               static_cast<index_t>(frame.routing.chunks.size()));
  return y;
}

}  // namespace detail

template <class Group, class Frame, class Element, class Memory>
auto run(sort_chunks<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  frame.routing.expert_rows = layout.expert_rows;
  return activation<std::remove_const_t<Element>, Memory>{detail::move_chunks(frame, x.data, layout.before, layout.after), x.full_hidden};
}
template <class Group, class Frame, class Memory>
auto run(sort_chunks<Group>, Frame& frame, row_gates<Memory> weights) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  index_t const height = weights.weights.count();
  rows<float const, Memory> const column{weights.weights.data(), extents<tokens, hidden>{height, 1}};
  auto const sorted = detail::move_chunks(frame, column, layout.before, layout.after);
  return row_gates<Memory>{{sorted.data(), extents<tokens>{height}}};
}
template <class Group, class Frame, class Element, class Memory>
auto run(unsort_chunks<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::chunk_layout<Frame> const layout{frame, static_cast<std::size_t>(own_experts<Group>(frame).size)};
  return activation<std::remove_const_t<Element>, Memory>{detail::move_chunks(frame, x.data, layout.after, layout.before), x.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
