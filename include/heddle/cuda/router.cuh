// SPDX-License-Identifier: Apache-2.0
// The launch of a router: one kernel from logits to ids, weights and counts, for any number of tokens.
#pragma once

#include <heddle/cuda/launch.cuh>
#include <heddle/cuda/router.hpp>
#include <heddle/cuda/row_block.cuh>
#include <heddle/kernel/count_choices.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The router of a shape. More than 48 KiB of shared memory is not asked for.
template <int Parts, int Values, int Experts = 0, int TopK = 0, class Route>
void launch_router_of(Route const& route, per_row<index_t, device_memory> counts, queue const& on) {
  using kernel_type = router<Route, 32, Parts, Values, Experts, TopK>;
  static_assert(kernel_type::shared_bytes(kernel_type::shape.bound()) <= 48 * 1024,
                "[heddle.router.shared] the values of a block's tokens do not fit shared memory. Fix: use more parts.");
  constexpr team_shape teams{.lanes = kernel_type::threads / kernel_type::shape.teams(),
                             .teams = kernel_type::shape.teams()};
  launch_row_blocks(kernel_type{.route = route, .counts = counts},
                    blocks_for(route.ids.shape()[0], teams, most_blocks(on.processors, teams)),
                    kernel_type::shared_bytes(route.logits.row_size()), on);
}

/// What `route` says, for all of its rows, in one kernel: ids, weights and, where asked for, scores. counts [E]
/// receives how often each expert stands in the ids, unless it is empty; it is device memory, and the host reads
/// nothing. `Experts` and `TopK` are the numbers of the views where they are known at compile time, else 0. Returns at
/// once. Throws, before anything is launched, `argument` for what `kernel::route::check` refuses and `shape` for views
/// that do not fit. More than `most_router_experts` experts take two kernels.
template <int Experts = 0, int TopK = 0, class Rule, class Real, real Weight>
void launch_router(kernel::route<Rule, Real, device_memory, Weight> const& route,
                   per_row<index_t, device_memory> counts, queue const& on) {
  static_assert(Experts >= 0 && Experts <= most_router_experts && TopK >= 0 && TopK <= kernel::most_slots,
                "[heddle.router.bounds] a router known at compile time has up to 1024 experts, 32 a token. Fix: let "
                "both be known at run time.");
  index_t const experts = route.logits.row_size();
  auto const refuse = [&](std::string what, std::string fix) {
    throw error(error_kind::shape, "launch_router: " + std::move(what), std::move(fix), on.rank);
  };
  if ((Experts > 0 && experts != Experts) || (TopK > 0 && route.ids.row_size() != TopK)) {
    refuse(std::to_string(experts) + " logits and " + std::to_string(route.ids.row_size()) + " slots a token, and " +
               std::to_string(Experts) + " and " + std::to_string(TopK) + " at compile time",
           "give views of these sizes, or 0 at compile time");
  }
  if (route.logits.shape()[0] != route.ids.shape()[0] || route.weights.shape() != route.ids.shape()) {
    refuse(std::to_string(route.logits.shape()[0]) + " rows of logits, " + std::to_string(route.ids.shape()[0]) +
               " of ids, " + std::to_string(route.weights.shape()[0]) + " of weights",
           "give logits, ids and weights the same tokens, and ids and weights the same slots");
  }
  if (counts.data() != nullptr && counts.count() != experts) {
    refuse(std::to_string(counts.count()) + " counts for " + std::to_string(experts) + " experts",
           "give one for each expert");
  }
  route.check();
  if (experts > most_router_experts) {
    launch_rows(route, route.ids.shape()[0], on);
    kernel::count_choices<device_memory> const count{.ids = route.ids, .counts = counts};
    if (counts.data() != nullptr) launch_rows(count, count.blocks(), on);
    return;
  }
  if (counts.data() != nullptr) on.clear(counts.data(), static_cast<std::size_t>(experts) * sizeof(index_t));
  if constexpr (Experts > 0) {
    constexpr router_shape shape = shape_for(Experts);
    launch_router_of<shape.parts, shape.values, Experts, TopK>(route, counts, on);
  } else if (experts <= 64) {
    launch_router_of<1, 2, 0, TopK>(route, counts, on);
  } else if (experts <= most_warp_experts) {
    launch_router_of<1, 8, 0, TopK>(route, counts, on);
  } else {
    launch_router_of<4, 8, 0, TopK>(route, counts, on);
  }
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
