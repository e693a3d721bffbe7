// SPDX-License-Identifier: Apache-2.0
// Rows and their weights to the ranks of their experts and home at run time. Notation of counts: e experts a rank, EP
// ranks in the expert group, ETP in the tensor group inside it.
#pragma once

#include <heddle/collective/all_to_all.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- gathers of routing weights: the ids go with them

template <class Group, class Partition, class Frame, class Memory, class Weight>
auto run(all_gather<Group, tokens, Partition>, Frame& frame, gates<Memory, Weight> weights) {
  auto& group = frame.template communicator<Group>();
  index_t const k = weights.weights.template size<slots>();
  auto const heights = detail::exchange_rows<Group>(frame, weights.weights.template size<tokens>());
  auto const counts = detail::times(frame, heights, k);
  extents<tokens, slots> const shape{detail::sum_of(heights), k};
  auto ids = frame.template scratch<std::int32_t>(shape.count());
  auto values = frame.template scratch<Weight>(shape.count());
  auto const own = static_cast<std::size_t>(weights.weights.count());
  group.all_gather(std::span<std::int32_t const>{frame.routing.ids.data(), own}, ids, counts);
  group.all_gather(std::span<Weight const>{weights.weights.data(), own}, values, counts);
  frame.routing.ids = {ids.data(), shape};
  frame.routing.capacity = 0;  // was counted for the tokens of one rank
  return gates<Memory, Weight>{{values.data(), shape}, frame.routing.ids};
}
/// The gradient of gathered weights: the sum over the ranks, each token's at home.
template <class Group, class Partition, class Frame, class Memory, class Weight>
auto run(reduce_scatter<Group, tokens, Partition>, Frame& frame, gates<Memory, Weight> weights) {
  auto& group = frame.template communicator<Group>();
  auto const heights = frame.template rows_of<Group>();
  index_t const k = weights.weights.template size<slots>();
  extents<tokens, slots> const shape{heights[static_cast<std::size_t>(group.rank())], k};
  auto own = frame.template scratch<Weight>(shape.count());
  group.reduce_scatter(
      std::span<Weight const>{weights.weights.data(), static_cast<std::size_t>(weights.weights.count())}, own,
      detail::times(frame, heights, k));
  return gates<Memory, Weight>{{own.data(), shape}};
}
template <class Group, class Frame, class Memory, class Weight>
auto run(all_reduce<Group>, Frame& frame, gates<Memory, Weight> weights) {
  auto const shape = weights.weights.shape();
  activation<Weight const, Memory> const as_rows{{weights.weights.data(), extents<tokens, hidden>{shape[0], shape[1]}}};
  auto const sum = run(all_reduce<Group>{}, frame, as_rows);
  return gates<Memory, Weight>{{sum.data.data(), shape}, weights.ids};
}

// -- all_to_all: rows of every expert go to its rank; ranks first tell each other how many

namespace detail {

/// How many experts a rank of the group has. All ranks of a tensor group have the same.
template <class Group>
struct experts_at {
  template <class Frame>
  static index_t rank(Frame& frame, int number) {
    return ceil_chunk::piece(frame.routing.experts, frame.template communicator<Group>().size(), number).size;
  }
};
template <class ExpertTensor, class ExpertParallel>
struct experts_at<joint<ExpertTensor, ExpertParallel>> {
  template <class Frame>
  static index_t rank(Frame& frame, int number) {
    int const inner = frame.template communicator<ExpertTensor>().size();
    int const all = frame.template communicator<joint<ExpertTensor, ExpertParallel>>().size();
    return ceil_chunk::piece(frame.routing.experts, all / inner, number / inner).size;
  }
};

template <class Group, class Frame>
void exchange_counts(Frame& frame) {
  auto& group = frame.template numbers<Group>();
  auto& routing = frame.routing;
  if (routing.exchanged) return;
  [[maybe_unused]] host_sync const waits{frame.execution()};  // those of the host are asked for at no cost
  auto const parts = static_cast<std::size_t>(group.size());
  index_t const own = experts_at<Group>::rank(frame, group.rank());
  auto experts_of = frame.counts(parts);
  auto from_each = frame.counts(parts);
  auto sent = frame.counts(parts);
  auto received = frame.counts(parts);
  auto chunks = frame.counts(parts * static_cast<std::size_t>(own));
  auto const rows = read_counts(frame.execution(), routing.expert_rows);
  if constexpr (!of_host<typename Frame::memory>) {  // now the height is known
    extents<tokens> const height{sum_of(rows)};
    routing.row_to_token = {routing.row_to_token.data(), height};
    routing.row_to_slot = {routing.row_to_slot.data(), height};
  }
  std::size_t expert = 0;
  for (std::size_t r = 0; r < parts; ++r) {
    experts_of[r] = experts_at<Group>::rank(frame, static_cast<int>(r));
    from_each[r] = own;
    sent[r] = sum_of(rows.subspan(expert, static_cast<std::size_t>(experts_of[r])));
    expert += static_cast<std::size_t>(experts_of[r]);
  }
  group.all_to_all(rows, experts_of, chunks, from_each);
  for (std::size_t r = 0; r < parts; ++r) {
    received[r] = sum_of(
        std::span<index_t const>{chunks}.subspan(r * static_cast<std::size_t>(own), static_cast<std::size_t>(own)));
  }
  routing.sent = sent;
  routing.received = received;
  routing.chunks = chunks;
  routing.exchanged = true;
}

/// The rows that are sent: of those in the memory of a device, the first.
template <class Memory, class Element>
[[nodiscard]] std::span<Element> first_rows(std::span<Element> x, std::span<index_t const> sent, index_t width) {
  if constexpr (of_host<Memory>) return x;
  else return x.first(static_cast<std::size_t>(sum_of(sent) * width));
}

template <class Group, class Frame, class Element, class Memory>
auto exchange_rows_to(Frame& frame, activation<Element, Memory> x, std::span<index_t const> sent,
                      std::span<index_t const> received) {
  using value = std::remove_const_t<Element>;
  index_t const width = x.data.template size<hidden>();
  auto y = frame.template scratch_rows<value>(sum_of(received), width);
  frame.template communicator<Group>().all_to_all(first_rows<Memory>(std::span<value const>{flat(x.data)}, sent, width),
                                                  times(frame, sent, width), flat(y), times(frame, received, width));
  return activation<value, Memory>{y, x.full_hidden};
}
template <class Group, class Frame, class Memory, class Weight>
auto exchange_rows_to(Frame& frame, row_gates<Memory, Weight> x, std::span<index_t const> sent,
                      std::span<index_t const> received) {
  auto y = frame.template scratch<Weight>(sum_of(received));
  std::span<Weight const> const weights{x.weights.data(), static_cast<std::size_t>(x.weights.count())};
  frame.template communicator<Group>().all_to_all(first_rows<Memory>(weights, sent, 1), sent, y, received);
  return row_gates<Memory, Weight>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
}

}  // namespace detail

template <class Group, class Frame, class Element, class Memory>
auto run(all_to_all<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::exchange_counts<Group>(frame);
  return detail::exchange_rows_to<Group>(frame, x, frame.routing.sent, frame.routing.received);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(all_to_all<Group>, Frame& frame, row_gates<Memory, Weight> weights) {
  return detail::exchange_rows_to<Group>(frame, weights, frame.routing.sent, frame.routing.received);
}
template <class Group, class Frame, class Element, class Memory>
auto run(all_to_all_back<Group>, Frame& frame, activation<Element, Memory> x) {
  return detail::exchange_rows_to<Group>(frame, x, frame.routing.received, frame.routing.sent);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(all_to_all_back<Group>, Frame& frame, row_gates<Memory, Weight> weights) {
  return detail::exchange_rows_to<Group>(frame, weights, frame.routing.received, frame.routing.sent);
}

// -- routed rows over the tensor group: every rank of it gets the copies of all, and knows which chunk is whose

template <class Group, class Frame, class Element, class Memory>
auto run(all_gather<Group, tokens, as_given>, Frame& frame, activation<Element, Memory> x) {
  auto& routing = frame.routing;
  auto& group = frame.template communicator<Group>();
  if ((routing.exchanged || !routing.chunks.empty()) &&
      !routing.gathered) {  // what an earlier layer gathered is no more
    auto const parts = static_cast<std::size_t>(group.size());
    auto gathered = frame.counts(parts * routing.chunks.size());
    auto heights = frame.counts(parts);
    frame.template numbers<Group>().all_gather(routing.chunks, gathered);
    for (std::size_t r = 0; r < parts; ++r) {
      heights[r] =
          detail::sum_of(std::span<index_t const>{gathered}.subspan(r * routing.chunks.size(), routing.chunks.size()));
    }
    routing.chunks = gathered;
    frame.template remember_rows<Group>(heights);
    routing.gathered = true;
  }
  return gather_rows<Group>(frame, x);
}
template <class Group, class Partition, class Frame, class Memory, class Weight>
auto run(all_gather<Group, tokens, Partition>, Frame& frame, row_gates<Memory, Weight> weights) {
  auto const heights = detail::exchange_rows<Group>(frame, weights.weights.count());
  auto y = frame.template scratch<Weight>(detail::sum_of(heights));
  frame.template communicator<Group>().all_gather(
      std::span<Weight const>{weights.weights.data(), static_cast<std::size_t>(weights.weights.count())}, y, heights);
  return row_gates<Memory, Weight>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
}
template <class Group, class Partition, class Frame, class Memory, class Weight>
auto run(reduce_scatter<Group, tokens, Partition>, Frame& frame, row_gates<Memory, Weight> weights) {
  auto& group = frame.template communicator<Group>();
  auto const heights = frame.template rows_of<Group>();
  auto y = frame.template scratch<Weight>(heights[static_cast<std::size_t>(group.rank())]);
  group.reduce_scatter(
      std::span<Weight const>{weights.weights.data(), static_cast<std::size_t>(weights.weights.count())}, y, heights);
  return row_gates<Memory, Weight>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
}

}  // namespace heddle::inline HEDDLE_ABI
