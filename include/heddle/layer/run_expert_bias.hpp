// SPDX-License-Identifier: Apache-2.0
// Biases of experts at run time, plain and weighted, and the weights that go on to them.
#pragma once

#include <heddle/compute/expert_bias.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/kernel/add.hpp>
#include <heddle/kernel/add_expert_bias.hpp>
#include <heddle/kernel/gate_scale.hpp>
#include <heddle/layer/run_experts.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Parameter, class Role, class Frame>
void check_expert_bias(Frame& frame, index_t width) {
  auto const& parameter = frame.template parameter<Role>();
  check_width("the bias of the experts", parameter.bias.template size<out_features>(), width);
  check_part<out_features, Parameter>(frame, parameter.bias.template size<out_features>(), parameter.full_out);
  index_t const has = parameter.bias.template size<experts>();
  if (has != parameter.weight.template size<experts>()) {
    throw error(error_kind::shape,
                "a rank has the weights of " + std::to_string(parameter.weight.template size<experts>()) +
                    " experts and the biases of " + std::to_string(has),
                "cut weights and biases alike, or leave expert_options::bias out");
  }
}

template <class Entry>
struct first_on {
  template <class Frame>
  static bool here(Frame&) {
    return true;
  }
};
template <class Group>
struct first_on<on<Group, partial>> {
  template <class Frame>
  static bool here(Frame& frame) {
    return frame.template communicator<Group>().rank() == 0;
  }
};

/// Whether this rank is the one that adds what a sum over the groups of a placement is to have once.
template <class Frame, class... Entries>
[[nodiscard]] bool adds_here(Frame& frame, placement<Entries...>) {
  return (first_on<Entries>::here(frame) && ...);
}

}  // namespace detail

// -- add_expert_bias | expert_bias_grad

template <class Mode, class At, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(add_expert_bias<Mode, At, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  detail::check_expert_bias<Parameter, Role>(frame, x.data.template size<hidden>());
  auto const y = detail::writable(frame, x);
  if (detail::adds_here(frame, At{})) {
    kernel::add_expert_bias<value, Memory> const add{.counts = detail::visible(frame, detail::padded_rows<Mode>(frame)),
                                                     .bias = frame.template parameter<Role>().bias,
                                                     .y = y.data};
    frame.launch(add, add.blocks());
    detail::clear_gaps<Mode>(frame, y.data);
  }
  return y;
}
template <class Mode, class At, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(expert_bias_grad<Mode, At, Parameter, Role>, Frame&, activation<Element, Memory> dy) {
  return dy;
}
template <class Mode, class At, class Parameter, class Role, class Gradients>
auto gradient_of(add_expert_bias<Mode, At, Parameter, Role>, Gradients const& gradients) {
  return Role::of(gradients).bias;
}
/// Whether the weight pass, which has no group to ask, is to add.
template <class Mode, class At, class Parameter, class Role, class Frame>
bool put_by(add_expert_bias<Mode, At, Parameter, Role>, Frame& frame) {
  return detail::adds_here(frame, At{});
}
template <class Mode, class At, class Parameter, class Role, class Frame, class Element, class Memory>
void accumulate(add_expert_bias<Mode, At, Parameter, Role>, Frame& frame, activation<Element, Memory> dy, bool here) {
  if (!here) return;
  kernel::expert_bias_grad<std::remove_const_t<Element>, Memory> const sum{
      .counts = detail::visible(frame, detail::padded_rows<Mode>(frame)),
      .dy = dy.data,
      .gradient = frame.template gradient<Role>().bias};
  frame.launch(sum, sum.blocks());
}

// -- gate_scale_keep | gate_scale_keep_grad

template <class Rows, class Weights, class Frame, class Element, class Memory, class Weight>
auto run(gate_scale_keep<Rows, Weights>, Frame& frame, activation<Element, Memory> x,
         row_gates<Memory, Weight> weights) {
  using value = std::remove_const_t<Element>;
  rows<value, Memory> const y = detail::place_for(frame, x);
  frame.launch(kernel::gate_scale<value, Memory, Weight>{.x = x.data, .weights = weights.weights, .y = y},
               y.template size<tokens>());
  return std::pair{activation<value, Memory>{y, x.full_hidden}, weights};
}
template <class Rows, class Weights, class Frame, class X, class Element, class Memory, class Weight>
auto run(gate_scale_keep_grad<Rows, Weights>, Frame& frame,
         kept<activation<X, Memory>, row_gates<Memory, Weight>> const& saved, activation<Element, Memory> dy,
         row_gates<Memory, Weight> dweights) {
  using value = std::remove_const_t<Element>;
  auto const& [x, weights] = saved.values;
  index_t const height = dy.data.template size<tokens>();
  rows<value, Memory> const dx = detail::place_for(frame, dy);
  rows<Weight, Memory> const sums = frame.template scratch_rows<Weight>(1, height);
  frame.launch(kernel::gate_scale_grad<value, Memory, Weight>{.x = x.data,
                                                              .weights = weights.weights,
                                                              .dy = dy.data,
                                                              .dx = dx,
                                                              .dweights = {sums.data(), extents<tokens>{height}}},
               height);
  rows<Weight const, Memory> const later{dweights.weights.data(), extents<tokens, hidden>{1, height}};
  frame.launch(kernel::add<Weight, Memory>{.a = sums, .b = later, .y = sums}, 1);
  return std::pair{activation<value, Memory>{dx, dy.full_hidden},
                   row_gates<Memory, Weight>{{sums.data(), extents<tokens>{height}}}};
}

// -- add_weighted_bias | weighted_bias_grad

template <class Mode, class Rows, class Weights, class Parameter, class Role, class Frame, class Element, class Memory,
          class Weight>
auto run(add_weighted_bias<Mode, Rows, Weights, Parameter, Role>, Frame& frame, activation<Element, Memory> x,
         row_gates<Memory, Weight> weights) {
  using value = std::remove_const_t<Element>;
  detail::check_expert_bias<Parameter, Role>(frame, x.data.template size<hidden>());
  auto const y = detail::writable(frame, x);
  if (detail::adds_here(frame, Rows{})) {
    kernel::add_expert_bias<value, Memory, Weight> const add{
        .counts = detail::visible(frame, detail::padded_rows<Mode>(frame)),
        .bias = frame.template parameter<Role>().bias,
        .y = y.data,
        .weights = weights.weights};
    frame.launch(add, add.blocks());
  }
  return y;
}
template <class Mode, class Rows, class Weights, class Parameter, class Role, class Frame, class Element, class Memory,
          class Weight>
auto run(weighted_bias_grad<Mode, Rows, Weights, Parameter, Role>, Frame& frame, kept<row_gates<Memory, Weight>> const&,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  index_t const height = dy.data.template size<tokens>();
  per_row<Weight, Memory> const dweights{frame.template scratch<Weight>(height).data(), extents<tokens>{height}};
  if (detail::adds_here(frame, Rows{})) {
    kernel::expert_bias_weight_grad<value, Memory, Weight> const products{
        .counts = detail::visible(frame, detail::padded_rows<Mode>(frame)),
        .bias = frame.template parameter<Role>().bias,
        .dy = dy.data,
        .dweights = dweights};
    frame.launch(products, products.blocks());
  } else {
    frame.execution().fill_zero(dweights.data(), height);
  }
  return std::pair{dy, row_gates<Memory, Weight>{dweights}};
}
template <class Mode, class Rows, class Weights, class Parameter, class Role, class Gradients>
auto gradient_of(add_weighted_bias<Mode, Rows, Weights, Parameter, Role>, Gradients const& gradients) {
  return Role::of(gradients).bias;
}
template <class Mode, class Rows, class Weights, class Parameter, class Role, class Frame>
bool put_by(add_weighted_bias<Mode, Rows, Weights, Parameter, Role>, Frame& frame) {
  return detail::adds_here(frame, Rows{});
}
template <class Mode, class Rows, class Weights, class Parameter, class Role, class Frame, class Element, class Memory,
          class Weight>
void accumulate(add_weighted_bias<Mode, Rows, Weights, Parameter, Role>, Frame& frame,
                kept<row_gates<Memory, Weight>> const& saved, activation<Element, Memory> dy, bool here) {
  if (!here) return;
  kernel::expert_bias_grad<std::remove_const_t<Element>, Memory, Weight> const sum{
      .counts = detail::visible(frame, detail::padded_rows<Mode>(frame)),
      .dy = dy.data,
      .gradient = frame.template gradient<Role>().bias,
      .weights = std::get<0>(saved.values).weights};
  frame.launch(sum, sum.blocks());
}

}  // namespace heddle::inline HEDDLE_ABI
