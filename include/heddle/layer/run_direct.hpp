// SPDX-License-Identifier: Apache-2.0
// Direct dispatch at run time: bucketed rows and their weights, stored at their experts and stored home.
#pragma once

#include <heddle/core/spans.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_router.hpp>
#include <heddle/layer/store_rows.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The rows that each expert of this rank received, with the zeros behind them.
template <class Frame>
[[nodiscard]] std::span<index_t const> rows_of_experts(Frame& frame, receive_map const& map, int rank) {
  int const own = map.owner_of(rank);
  auto rows = frame.counts(static_cast<std::size_t>(map.begin_of(own + 1) - map.begin_of(own)));
  fill_all(std::span{rows}, 0);
  map.each_block(frame.counts(static_cast<std::size_t>(map.ranks())), [&](receive_block const& block) {
    if (block.owner == own) rows[static_cast<std::size_t>(block.bin - map.begin_of(own))] += block.kept;
  });
  for (index_t& count : rows) count = map.aligned(count);
  return rows;
}

/// Weights of rows as rows of one number, and back.
template <class Memory, class Weight>
[[nodiscard]] rows<Weight const, Memory> as_column(row_gates<Memory, Weight> x) {
  return {x.weights.data(), extents<tokens, hidden>{x.weights.count(), 1}};
}
template <class Weight, class Memory>
[[nodiscard]] row_gates<Memory, Weight> as_gates(rows<Weight, Memory> x) {
  return {{x.data(), extents<tokens>{x.count()}}};
}

}  // namespace detail

template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows, class Frame,
          class Element, class Memory>
auto run(direct_send<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, Frame& frame,
         activation<Element, Memory> x) {
  using group = joint<ExpertTensor, ExpertParallel>;
  using value = std::remove_const_t<Element>;
  auto const plan = detail::plan_by_expert<ExpertParallel, ExpertTensor, Copies>(frame, Rows);
  if constexpr (detail::of_host<Memory>) {
    index_t const width = x.data.template size<hidden>();
    auto const y = detail::store_there<group, Overflow, value>(frame, plan, detail::flat(x.data), width);
    auto const map = detail::places_of(frame, plan);
    int const rank = frame.template communicator<group>().rank();
    frame.routing.expert_rows = detail::rows_of_experts(frame, map, rank);
    return activation<value, Memory>{{y.data(), extents<tokens, hidden>{map.kept_by(map.owner_of(rank)), width}},
                                     x.full_hidden};
  } else {
    rows<value const, Memory> const sent{x.data};
    using way = detail::by_kernels<group, Overflow>;
    detail::need_kernels<way, Frame>();
    detail::told_by_kernels<Memory> const own{.rows = frame.routing.expert_rows.visible()};
    return activation<value, Memory>{send_by_kernels(way{}, frame, plan, own, sent), x.full_hidden};
  }
}
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows, class Frame,
          class Memory, class Weight>
auto run(direct_send<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, Frame& frame, row_gates<Memory, Weight> x) {
  using group = joint<ExpertTensor, ExpertParallel>;
  auto const plan = detail::plan_by_expert<ExpertParallel, ExpertTensor, Copies>(frame, Rows);
  if constexpr (detail::of_host<Memory>) {
    std::span<Weight const> const weights{x.weights.data(), static_cast<std::size_t>(x.weights.count())};
    auto const y = detail::store_there<group, Overflow>(frame, plan, weights, 1);
    return row_gates<Memory, Weight>{{y.data(), extents<tokens>{static_cast<index_t>(y.size())}}};
  } else {
    rows<Weight const, Memory> const sent = detail::as_column(x);
    detail::told_by_kernels<Memory> const own{.rows = frame.routing.expert_rows.visible()};
    return detail::as_gates(send_by_kernels(detail::by_kernels<group, Overflow>{}, frame, plan, own, sent));
  }
}

template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows, class Frame,
          class Element, class Memory>
auto run(direct_return<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, Frame& frame,
         activation<Element, Memory> y) {
  using group = joint<ExpertTensor, ExpertParallel>;
  using value = std::remove_const_t<Element>;
  auto const plan = detail::plan_by_expert<ExpertParallel, ExpertTensor, Copies>(frame, Rows);
  if constexpr (detail::of_host<Memory>) {
    index_t const width = y.data.template size<hidden>();
    auto const x = detail::store_home<group, value>(frame, plan, detail::flat(y.data), width);
    index_t const height = detail::places_of(frame, plan).sent_by(frame.template communicator<group>().rank());
    return activation<value, Memory>{{x.data(), extents<tokens, hidden>{height, width}}, y.full_hidden};
  } else {
    rows<value const, Memory> const made{y.data};
    index_t const most = frame.routing.row_to_token.count();
    return activation<value, Memory>{return_by_kernels(detail::by_kernels<group>{}, frame, plan, made, most),
                                     y.full_hidden};
  }
}
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows, class Frame,
          class Memory, class Weight>
auto run(direct_return<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, Frame& frame,
         row_gates<Memory, Weight> y) {
  using group = joint<ExpertTensor, ExpertParallel>;
  auto const plan = detail::plan_by_expert<ExpertParallel, ExpertTensor, Copies>(frame, Rows);
  if constexpr (detail::of_host<Memory>) {
    std::span<Weight const> const weights{y.weights.data(), static_cast<std::size_t>(y.weights.count())};
    auto const x = detail::store_home<group>(frame, plan, weights, 1);
    return row_gates<Memory, Weight>{{x.data(), extents<tokens>{static_cast<index_t>(x.size())}}};
  } else {
    rows<Weight const, Memory> const made = detail::as_column(y);
    index_t const most = frame.routing.row_to_token.count();
    return detail::as_gates(return_by_kernels(detail::by_kernels<group>{}, frame, plan, made, most));
  }
}

}  // namespace heddle::inline HEDDLE_ABI
