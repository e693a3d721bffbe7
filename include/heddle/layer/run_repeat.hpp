// SPDX-License-Identifier: Apache-2.0
// Choices repeated for every rank of the tensor group, at run time.
#pragma once

#include <heddle/compute/repeat_choices.hpp>
#include <heddle/kernel/repeat_choices.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

/// From here on the step's ids are those of experts on single ranks, `experts * ETP` of them.
template <class ExpertParallel, class ExpertTensor, class Frame, class Memory, class Weight>
auto run(repeat_choices<ExpertParallel, ExpertTensor>, Frame& frame, gates<Memory, Weight> x) {
  auto& routing = frame.routing;
  index_t const parts = frame.template communicator<ExpertTensor>().size();
  int const outer = frame.template communicator<ExpertParallel>().size();
  extents<tokens, slots> const shape{x.weights.template size<tokens>(), x.weights.template size<slots>() * parts};
  bool const gradient = routing.brought;  // who has repeated the choices meets their weights alone
  auto ids = frame.template scratch<std::int32_t>(gradient ? 0 : shape.count());
  slot_view<Weight, Memory> const weights{frame.template scratch<Weight>(shape.count()).data(), shape};
  frame.launch(
      kernel::repeat_choices<Memory, Weight>{.ids = gradient ? slot_view<std::int32_t const, Memory>{} : routing.ids,
                                             .weights = x.weights,
                                             .experts = routing.experts,
                                             .each = ceil_chunk::piece(routing.experts, outer, 0).size,
                                             .parts = parts,
                                             .wide_ids = {ids.data(), shape},
                                             .wide_weights = weights},
      shape[0]);
  if (gradient) return gates<Memory, Weight>{weights};
  routing.ids = {ids.data(), shape};
  routing.brought = true;
  return gates<Memory, Weight>{weights, routing.ids};
}
template <class ExpertParallel, class ExpertTensor, class Frame, class Memory, class Weight>
auto run(sum_choices<ExpertParallel, ExpertTensor>, Frame& frame, gates<Memory, Weight> x) {
  index_t const parts = frame.template communicator<ExpertTensor>().size();
  extents<tokens, slots> const shape{x.weights.template size<tokens>(), x.weights.template size<slots>() / parts};
  slot_view<Weight, Memory> const y{frame.template scratch<Weight>(shape.count()).data(), shape};
  frame.launch(kernel::sum_choices<Memory, Weight>{.x = x.weights, .parts = parts, .y = y}, shape[0]);
  return gates<Memory, Weight>{y};
}

template <class ExpertParallel, class ExpertTensor, class Frame, class Element, class Memory>
auto run(repeat_choices<ExpertParallel, ExpertTensor>, Frame&, activation<Element, Memory> x) {
  return x;
}
template <class ExpertParallel, class ExpertTensor, class Frame, class Element, class Memory>
auto run(sum_choices<ExpertParallel, ExpertTensor>, Frame&, activation<Element, Memory> x) {
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
