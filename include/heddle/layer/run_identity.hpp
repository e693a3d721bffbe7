// SPDX-License-Identifier: Apache-2.0
// Identity experts at run time: the step's choices lose them, and the dispatch sees the real experts alone.
#pragma once

#include <heddle/compute/identity_experts.hpp>
#include <heddle/compute/role.hpp>
#include <heddle/kernel/identity_experts.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At, class Frame, class Element, class Memory, class Weight>
auto run(identity_experts<At>, Frame& frame, activation<Element, Memory> x, gates<Memory, Weight> weights) {
  using value = std::remove_const_t<Element>;
  index_t const real_experts = frame.template parameter<fc1_role>().full_experts;
  auto const shape = weights.weights.shape();
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), x.data.template size<hidden>());
  slot_view<std::int32_t, Memory> const others{frame.template scratch<std::int32_t>(shape.count()).data(), shape};
  frame.launch(kernel::identity_experts<value, Memory, Weight>{.x = x.data,
                                                               .ids = weights.ids,
                                                               .weights = weights.weights,
                                                               .first = static_cast<std::int32_t>(real_experts),
                                                               .y = y,
                                                               .others = others},
               shape[0]);
  frame.routing.begin(others, real_experts);
  return std::tuple{x, gates<Memory, Weight>{weights.weights, others}, activation<value, Memory>{y, x.full_hidden}};
}

template <class At, class Frame, class X, class Element, class Dy, class Memory, class Weight>
auto run(identity_experts_grad<At>, Frame& frame, kept<activation<X, Memory>, gates<Memory, Weight>> const& saved,
         activation<Element, Memory> dx, gates<Memory, Weight> dweights, activation<Dy, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& [x, weights] = saved.values;
  auto const shape = weights.weights.shape();
  rows<value, Memory> const sum = detail::place_for(frame, dx);
  slot_view<Weight, Memory> const of_all{frame.template scratch<Weight>(shape.count()).data(), shape};
  auto const first = static_cast<std::int32_t>(frame.template parameter<fc1_role>().full_experts);
  frame.launch(kernel::identity_experts_grad<value, Memory, Weight>{.x = x.data,
                                                                    .ids = weights.ids,
                                                                    .weights = weights.weights,
                                                                    .first = first,
                                                                    .dy = dy.data,
                                                                    .dx_others = dx.data,
                                                                    .dweights_others = dweights.weights,
                                                                    .dx = sum,
                                                                    .dweights = of_all},
               shape[0]);
  return std::pair{activation<value, Memory>{sum, dx.full_hidden}, gates<Memory, Weight>{of_all}};
}

}  // namespace heddle::inline HEDDLE_ABI
