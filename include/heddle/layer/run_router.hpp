// SPDX-License-Identifier: Apache-2.0
// What routing does at run time: logits become ids (in the step's `routing`) and weights, which a rank may mask to its
// own experts, and which meet the rows at one of four points.
#pragma once

#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/mask_routing.hpp>
#include <heddle/kernel/gate_scale.hpp>
#include <heddle/kernel/mask_experts.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/layer/run_compute.hpp>
#include <heddle/router/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Selection, int TopK, class Frame, class Real, class Memory>
auto run(choose<Selection, TopK>, Frame& frame, activation<Real, Memory> logits) {
  index_t const height = logits.data.template size<tokens>();
  index_t const k = TopK == static_cast<int>(dynamic) ? frame.weights().top_k : TopK;
  kernel::check_top_k(k, logits.data.template size<hidden>());
  auto ids = frame.template scratch<std::int32_t>(height * k);
  auto weights = frame.template scratch<float>(height * k);
  extents<tokens, slots> const shape{height, k};
  kernel::route<Selection, std::remove_const_t<Real>, Memory> const route{.logits = logits.data,
                                                                          .ids = {ids.data(), shape},
                                                                          .weights = {weights.data(), shape},
                                                                          .factor = frame.weights().route_scale};
  frame.launch(route, height);
  frame.routing.ids = {ids.data(), shape};
  frame.routing.experts = logits.data.template size<hidden>();
  return gates<Memory>{{weights.data(), shape}};
}

/// The experts that a rank of `Group` owns: the pieces of `ceil_chunk`, as the style of the expert weights says.
template <class Group, class Frame>
[[nodiscard]] range own_experts(Frame& frame) {
  auto& group = frame.template communicator<Group>();
  return ceil_chunk::piece(frame.routing.experts, group.size(), group.rank());
}

template <class Group, class Frame, class Memory>
auto run(mask_routing<Group>, Frame& frame, gates<Memory> weights) {
  range const own = own_experts<Group>(frame);
  auto const shape = weights.weights.shape();
  auto ids = frame.template scratch<std::int32_t>(shape.count());
  auto masked = frame.template scratch<float>(shape.count());
  frame.launch(kernel::mask_experts<Memory>{.ids = frame.routing.ids,
                                            .weights = weights.weights,
                                            .first = own.begin,
                                            .count = own.size,
                                            .masked_ids = {ids.data(), shape},
                                            .masked_weights = {masked.data(), shape}},
               shape[0]);
  frame.routing.ids = {ids.data(), shape};
  return gates<Memory>{{masked.data(), shape}};
}

// -- weights meet rows

template <class Rows, class Weights, class Frame, class Element, class Memory>
auto run(gate_scale<Rows, Weights>, Frame& frame, activation<Element, Memory> x, row_gates<Memory> weights) {
  auto y = detail::writable(frame, x);
  frame.launch(
      kernel::gate_scale<std::remove_const_t<Element>, Memory>{.x = y.data, .weights = weights.weights, .y = y.data},
      y.data.template size<tokens>());
  return y;
}

/// Weights of tokens meet copies that are home: the sum over slots will multiply.
template <class Rows, class Weights, class Frame, class Element, class Memory>
auto run(gate_scale<Rows, Weights>, Frame&, activation<Element, Memory> x, gates<Memory> weights) {
  return weighted_copies<Element, Memory>{x, weights.weights};
}

}  // namespace heddle::inline HEDDLE_ABI
