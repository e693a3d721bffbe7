// SPDX-License-Identifier: Apache-2.0
// Tokens sent once a rank, at run time: packed by rank, exchanged or stored, and their sums on the way home.
#pragma once

#include <heddle/collective/send_tokens.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/ranks_of.hpp>
#include <heddle/kernel/unpermute.hpp>
#include <heddle/layer/run_exchange.hpp>
#include <heddle/layer/store_rows.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Orders tokens by the ranks they go to. Returns how many go to each.
template <class Group, class Frame>
[[nodiscard]] counts<typename Frame::memory> order_by_rank(Frame& frame) {
  using memory = typename Frame::memory;
  auto& routing = frame.routing;
  int const ranks = frame.template communicator<Group>().size();
  extents<tokens, slots> const shape{routing.ids.template size<tokens>(), ranks};
  slot_view<std::int32_t, memory> const ranks_of_token{frame.template scratch<std::int32_t>(shape.count()).data(),
                                                       shape};
  index_t const each = larger(ceil_chunk::piece(routing.experts, ranks, 0).size, index_t{1});
  frame.launch(kernel::ranks_of<memory>{.ids = routing.ids, .each = each, .y = ranks_of_token}, shape[0]);
  auto row_to_token = frame.template scratch<std::int32_t>(shape.count());
  auto row_to_slot = frame.template scratch<std::int32_t>(shape.count());
  auto token_to_row = frame.template scratch<std::int32_t>(shape.count());
  auto const rows = frame.execution().order_by_expert(ranks_of_token, 0, ranks, row_to_token, row_to_slot,
                                                      {token_to_row.data(), shape});
  routing.sent_to_token = {row_to_token.data(), extents<tokens>{height_of(rows)}};
  routing.token_to_sent = {token_to_row.data(), shape};
  return rows;
}

/// One number from each rank to each rank, on the host.
template <class Group, class Frame>
void exchange_token_counts(Frame& frame) {
  auto& group = frame.template numbers<Group>();
  auto& routing = frame.routing;
  if (routing.exchanged) return;
  [[maybe_unused]] host_sync const waits{frame.execution()};
  auto const sent = read_counts(frame.execution(), order_by_rank<Group>(frame));
  routing.sent_to_token = {routing.sent_to_token.data(), extents<tokens>{sum_of(sent)}};
  auto received = frame.counts(sent.size());
  auto ones = frame.counts(sent.size());
  fill_all(std::span{ones}, 1);
  group.all_to_all(sent, ones, received, ones);
  routing.sent = sent;
  routing.received = received;
  routing.chunks = received;
  routing.exchanged = true;
}

/// The rows of tokens, [tokens, width], in the order they are sent.
template <class Value, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> pack_tokens(Frame& frame, rows<Value const, Memory> x) {
  index_t const used = frame.routing.sent_to_token.count();
  auto y = frame.template scratch_rows<Value>(used, x.template size<hidden>());
  frame.launch(kernel::permute<Value, Memory>{.x = x, .row_to_token = frame.routing.sent_to_token, .y = y}, used);
  return y;
}
/// The sum of each token's rows, in ascending order of the ranks they come from.
template <class Value, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> sum_ranks(Frame& frame, rows<Value const, Memory> x) {
  index_t const height = frame.routing.token_to_sent.template size<tokens>();
  auto y = frame.template scratch_rows<Value>(height, x.template size<hidden>());
  frame.launch(
      kernel::unpermute<Value, Memory>{.x = x, .slot_to_row = frame.routing.token_to_sent, .weights = {}, .y = y},
      height);
  return y;
}

// -- how rows get there and home: by an exchange, ...

template <class Group, class Frame>
void meet(send_tokens<Group>, Frame& frame) {
  exchange_token_counts<Group>(frame);
}
template <class Value, class Group, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> carry(send_tokens<Group>, Frame& frame, rows<Value const, Memory> x) {
  activation<Value const, Memory> const packed{x};
  return exchange_rows_to<Group>(frame, packed, frame.routing.sent, frame.routing.received).data;
}
template <class Value, class Group, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> carry(return_sums<Group>, Frame& frame, rows<Value const, Memory> x) {
  activation<Value const, Memory> const made{x};
  return exchange_rows_to<Group>(frame, made, frame.routing.received, frame.routing.sent).data;
}

// -- ... or by stores. One bin a rank; nobody is sent more tokens than there are.

template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Frame>
void meet(direct_tokens<ExpertParallel, ExpertTensor, Overflow>, Frame& frame) {
  if (frame.routing.exchanged) return;
  auto const rows = order_by_rank<ExpertParallel>(frame);
  if constexpr (of_host<typename Frame::memory>) frame.routing.sent = rows;
  else frame.routing.expert_rows = rows;  // until they are exchanged
}
template <class Value, class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> carry(direct_tokens<ExpertParallel, ExpertTensor, Overflow>, Frame& frame,
                                        rows<Value const, Memory> x) {
  using group = joint<ExpertTensor, ExpertParallel>;
  auto const plan = plan_by_rank<ExpertParallel, ExpertTensor>(frame);
  if constexpr (of_host<Memory>) {
    index_t const width = x.template size<hidden>();
    auto const y = store_there<group, Overflow, Value>(frame, plan, flat(x), width);
    auto const map = places_of(frame, plan);
    int const own = map.owner_of(frame.template communicator<group>().rank());
    return {y.data(), extents<tokens, hidden>{map.kept_by(own), width}};
  } else {
    using way = by_kernels<group, Overflow>;
    need_kernels<way, Frame>();
    return send_by_kernels(way{}, frame, plan, rows_and_choices_there(frame), x);
  }
}
template <class Value, class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Frame, class Memory>
[[nodiscard]] rows<Value, Memory> carry(direct_sums<ExpertParallel, ExpertTensor, Overflow>, Frame& frame,
                                        rows<Value const, Memory> x) {
  using group = joint<ExpertTensor, ExpertParallel>;
  auto const plan = plan_by_rank<ExpertParallel, ExpertTensor>(frame);
  index_t const height = frame.routing.sent_to_token.count();
  if constexpr (of_host<Memory>) {
    index_t const width = x.template size<hidden>();
    auto const y = store_home<group, Value>(frame, plan, flat(x), width);
    return {y.data(), extents<tokens, hidden>{height, width}};
  } else {
    return return_by_kernels(by_kernels<group>{}, frame, plan, x, height);
  }
}

/// Operations that have a way.
template <class Operation>
inline constexpr bool sends_tokens = false;
template <class Group>
inline constexpr bool sends_tokens<send_tokens<Group>> = true;
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
inline constexpr bool sends_tokens<direct_tokens<ExpertParallel, ExpertTensor, Overflow>> = true;
template <class Operation>
inline constexpr bool sums_tokens = false;
template <class Group>
inline constexpr bool sums_tokens<return_sums<Group>> = true;
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow>
inline constexpr bool sums_tokens<direct_sums<ExpertParallel, ExpertTensor, Overflow>> = true;

/// The numbers of each token as a row.
template <class Element, class Memory>
[[nodiscard]] rows<Element, Memory> as_rows(slot_view<Element, Memory> x) {
  return {x.data(), extents<tokens, hidden>{x.template size<tokens>(), x.template size<slots>()}};
}
template <class Element, class Memory>
[[nodiscard]] slot_view<Element, Memory> as_slots(rows<Element, Memory> x) {
  return {x.data(), extents<tokens, slots>{x.template size<tokens>(), x.template size<hidden>()}};
}

}  // namespace detail

template <class Operation, class Frame, class Element, class Memory>
  requires detail::sends_tokens<Operation>
auto run(Operation operation, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  detail::meet(operation, frame);
  rows<value const, Memory> const packed = detail::pack_tokens<value, Frame, Memory>(frame, x.data);
  return activation<value, Memory>{detail::carry(operation, frame, packed), x.full_hidden};
}
/// The choices go with their weights; a gradient has none.
template <class Operation, class Frame, class Memory, class Weight>
  requires detail::sends_tokens<Operation>
auto run(Operation operation, Frame& frame, gates<Memory, Weight> x) {
  detail::meet(operation, frame);
  rows<Weight const, Memory> const packed =
      detail::pack_tokens<Weight, Frame, Memory>(frame, detail::as_rows(x.weights));
  auto const weights = detail::as_slots(detail::carry(operation, frame, packed));
  if (frame.routing.brought) return gates<Memory, Weight>{weights};
  rows<std::int32_t const, Memory> const ids =
      detail::pack_tokens<std::int32_t, Frame, Memory>(frame, detail::as_rows(frame.routing.ids));
  frame.routing.ids = detail::as_slots(detail::carry(operation, frame, ids));
  frame.routing.capacity = 0;  // was counted for the tokens of one rank
  frame.routing.brought = true;
  return gates<Memory, Weight>{weights, frame.routing.ids};
}

template <class Operation, class Frame, class Element, class Memory>
  requires detail::sums_tokens<Operation>
auto run(Operation operation, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  rows<value const, Memory> const home = detail::carry(operation, frame, rows<value const, Memory>{x.data});
  return activation<value, Memory>{detail::sum_ranks<value, Frame, Memory>(frame, home), x.full_hidden};
}
template <class Operation, class Frame, class Memory, class Weight>
  requires detail::sums_tokens<Operation>
auto run(Operation operation, Frame& frame, gates<Memory, Weight> x) {
  rows<Weight const, Memory> const home = detail::carry(operation, frame, detail::as_rows(x.weights));
  return gates<Memory, Weight>{detail::as_slots(detail::sum_ranks<Weight, Frame, Memory>(frame, home))};
}

}  // namespace heddle::inline HEDDLE_ABI
