// SPDX-License-Identifier: Apache-2.0
// What becomes of routing weights at run time: a rank may mask them to its own experts, and they meet the rows at one
// of four points.
#pragma once

#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/mask_routing.hpp>
#include <heddle/kernel/gate_scale.hpp>
#include <heddle/kernel/mask_experts.hpp>
#include <heddle/layer/run_choose.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The experts that a rank of `Group` owns: the pieces of `ceil_chunk`, as the style of the expert weights says.
template <class Group, class Frame>
[[nodiscard]] range own_experts(Frame& frame) {
  auto& group = frame.template communicator<Group>();
  return ceil_chunk::piece(frame.routing.experts, group.size(), group.rank());
}

template <class Group, class Frame, class Memory, class Weight>
auto run(mask_routing<Group>, Frame& frame, gates<Memory, Weight> weights) {
  range const own = own_experts<Group>(frame);
  auto const shape = weights.weights.shape();
  auto ids = frame.template scratch<std::int32_t>(shape.count());
  auto masked = frame.template scratch<Weight>(shape.count());
  frame.launch(kernel::mask_experts<Memory, Weight>{.ids = frame.routing.ids,
                                                    .weights = weights.weights,
                                                    .first = own.begin,
                                                    .count = own.size,
                                                    .masked_ids = {ids.data(), shape},
                                                    .masked_weights = {masked.data(), shape}},
               shape[0]);
  frame.routing.ids = {ids.data(), shape};
  return gates<Memory, Weight>{{masked.data(), shape}, frame.routing.ids};
}
namespace detail {

/// The gradient of weights of which some went nowhere: 0 where the id is -1.
template <class Frame, class Memory, class Weight>
auto where_chosen(Frame& frame, slot_view<std::int32_t const, Memory> ids, gates<Memory, Weight> dweights) {
  auto const shape = dweights.weights.shape();
  auto dx = frame.template scratch<Weight>(shape.count());
  auto unused = frame.template scratch<std::int32_t>(shape.count());
  frame.launch(kernel::mask_experts<Memory, Weight>{.ids = ids,
                                                    .weights = dweights.weights,
                                                    .first = 0,
                                                    .count = frame.routing.experts,
                                                    .masked_ids = {unused.data(), shape},
                                                    .masked_weights = {dx.data(), shape}},
               shape[0]);
  return gates<Memory, Weight>{{dx.data(), shape}};
}

}  // namespace detail

template <class Group, class Frame, class Memory, class Weight>
auto run(mask_routing_grad<Group>, Frame& frame, kept<gates<Memory, Weight>> const& saved, gates<Memory, Weight> dy) {
  return detail::where_chosen(frame, std::get<0>(saved.values).ids, dy);
}

// -- weights meet rows

template <class Rows, class Weights, class Frame, class Element, class Memory, class Weight>
auto run(gate_scale<Rows, Weights>, Frame& frame, activation<Element, Memory> x, row_gates<Memory, Weight> weights) {
  using value = std::remove_const_t<Element>;
  rows<value, Memory> const y = detail::place_for(frame, x);
  frame.launch(kernel::gate_scale<value, Memory, Weight>{.x = x.data, .weights = weights.weights, .y = y},
               y.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden};
}
template <class Rows, class Weights, class Frame, class X, class Element, class Memory, class Weight>
auto run(gate_scale_grad<Rows, Weights>, Frame& frame,
         kept<activation<X, Memory>, row_gates<Memory, Weight>> const& saved, activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& [x, weights] = saved.values;
  index_t const height = dy.data.template size<tokens>();
  rows<value, Memory> const dx = detail::place_for(frame, dy);
  per_row<Weight, Memory> const dweights{frame.template scratch<Weight>(height).data(), extents<tokens>{height}};
  frame.launch(
      kernel::gate_scale_grad<value, Memory, Weight>{
          .x = x.data, .weights = weights.weights, .dy = dy.data, .dx = dx, .dweights = dweights},
      height);
  return std::pair{activation<value, Memory>{dx, dy.full_hidden}, row_gates<Memory, Weight>{dweights}};
}

/// Weights of tokens meet copies that are home: the sum over slots will multiply.
template <class Rows, class Weights, class Frame, class Element, class Memory, class Weight>
auto run(gate_scale<Rows, Weights>, Frame&, activation<Element, Memory> x, gates<Memory, Weight> weights) {
  return weighted_copies<Element, Memory, Weight>{x, weights.weights};
}
template <class Rows, class Weights, class Frame, class X, class Element, class Memory, class Weight>
auto run(gate_scale_grad<Rows, Weights>, Frame& frame, kept<activation<X, Memory>, gates<Memory, Weight>> const& saved,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& [x, weights] = saved.values;
  auto const shape = weights.weights.shape();
  rows<value, Memory> const dx = detail::place_for(frame, dy);
  slot_view<Weight, Memory> const dweights{frame.template scratch<Weight>(shape.count()).data(), shape};
  frame.launch(kernel::gate_scale_home_grad<value, Memory, Weight>{.x = x.data,
                                                                   .weights = weights.weights,
                                                                   .slot_to_row = frame.routing.slot_to_row,
                                                                   .dy = dy.data,
                                                                   .dx = dx,
                                                                   .dweights = dweights},
               shape[0]);
  return std::pair{activation<value, Memory>{dx, dy.full_hidden}, gates<Memory, Weight>{dweights}};
}

}  // namespace heddle::inline HEDDLE_ABI
