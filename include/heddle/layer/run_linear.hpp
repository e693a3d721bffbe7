// SPDX-License-Identifier: Apache-2.0
// What a linear layer does at run time: the product and its two gradients, the bias and its gradient.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/kernel/add_bias.hpp>
#include <heddle/kernel/add_rounded.hpp>
#include <heddle/kernel/bias_grad.hpp>
#include <heddle/kernel/token_gate.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Logits of routers and gates are wider than the activations they come from.
template <class Role, class Element>
using gemm_output_t = std::conditional_t<std::same_as<Role, gate_role> || std::same_as<Role, shared_gate_role>,
                                         accumulator_t<Element>, Element>;

/// A projection with named output parts is still one linear layer to the multiplication, and so is its gradient.
template <class Parameter>
constexpr auto const& linear_of(Parameter const& parameter) {
  if constexpr (requires { parameter.projection; }) return parameter.projection;
  else return parameter;
}

/// `add(sums)` adds to sums in `Real`: to a gradient in that type, or to zeros that a narrower gradient then gets.
template <class Real, class Frame, class Element, class Extents, class Memory, class Add>
void add_in(Frame& frame, view<Element, Extents, Memory> const& gradient, Add const& add) {
  if constexpr (std::same_as<Element, Real>) {
    add(gradient);
  } else {
    extents<tokens, hidden> const flat{1, gradient.count()};
    auto const wide = frame.template scratch<Real>(gradient.count());
    frame.execution().fill_zero(wide.data(), gradient.count());
    add(view<Real, Extents, Memory>{wide.data(), gradient.shape()});
    frame.launch(kernel::add_rounded<Real, Element, Memory>{.x = {wide.data(), flat}, .y = {gradient.data(), flat}}, 1);
  }
}

}  // namespace detail

namespace detail {

/// What the matrix of a gate is multiplied by, where there are padding tokens: rows without a gradient are zero,
/// because 0 times what stands in a row of padding may be no number.
template <class Frame, class X, class Gradient, class Memory>
rows<X const, Memory> heard_rows(Frame& frame, rows<X const, Memory> x, rows<Gradient const, Memory> dy) {
  if (frame.inputs.padding.data() == nullptr) return x;
  auto const y = frame.template scratch_rows<X>(x.template size<tokens>(), x.row_size());
  frame.launch(kernel::mask_silent<X, Gradient, Memory>{.x = x, .dy = dy, .y = y}, x.template size<tokens>());
  return y;
}

}  // namespace detail

// -- gemm | dgrad

template <class From, class To, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(gemm<From, To, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using output = detail::gemm_output_t<Role, std::remove_const_t<Element>>;
  auto const& parameter = detail::linear_of(frame.template parameter<Role>());
  detail::check_width("the input of a linear layer", x.data.template size<hidden>(),
                      parameter.weight.template size<in_features>());
  detail::check_part<in_features, Parameter>(frame, parameter.weight.template size<in_features>(), parameter.full_in);
  detail::check_part<out_features, Parameter>(frame, parameter.weight.template size<out_features>(),
                                              parameter.full_out);
  auto y = frame.template scratch_rows<output>(x.data.template size<tokens>(),
                                               parameter.weight.template size<out_features>());
  frame.execution().multiply(x.data, parameter.weight, y);
  return activation<output, Memory>{y, parameter.full_out};
}

template <class From, class To, class Parameter, class Role, class Frame, class X, class Element, class Memory>
auto run(dgrad<From, To, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const&,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<X>;
  auto const& parameter = detail::linear_of(frame.template parameter<Role>());
  detail::check_width("the gradient of a linear layer", dy.data.template size<hidden>(),
                      parameter.weight.template size<out_features>());
  auto dx = frame.template scratch_rows<value>(dy.data.template size<tokens>(),
                                               parameter.weight.template size<in_features>());
  frame.execution().multiply_transposed(dy.data, parameter.weight, dx);
  return activation<value, Memory>{dx, parameter.full_in};
}
template <class From, class To, class Parameter, class Role, class Gradients>
auto gradient_of(gemm<From, To, Parameter, Role>, Gradients const& gradients) {
  return detail::linear_of(Role::of(gradients)).weight;
}
template <class From, class To, class Parameter, class Role, class Frame, class X, class Element, class Memory>
void accumulate(gemm<From, To, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const& saved,
                activation<Element, Memory> dy) {
  auto const& gradient = detail::linear_of(frame.template gradient<Role>());
  auto const& x = std::get<0>(saved.values).data;
  if constexpr (std::same_as<Role, gate_role>) {
    using given = std::remove_const_t<X>;
    auto const heard = detail::heard_rows<Frame, given, std::remove_const_t<Element>, Memory>(frame, x, dy.data);
    frame.execution().accumulate_outer(dy.data, heard, gradient.weight);
  } else {
    frame.execution().accumulate_outer(dy.data, x, gradient.weight);
  }
}

// -- add_bias | bias_grad

template <class At, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(add_bias<At, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  auto const& parameter = detail::linear_of(frame.template parameter<Role>());
  if (parameter.bias.data() == nullptr) return x;
  detail::check_width("a bias", parameter.bias.count(), x.data.template size<hidden>());
  using value = std::remove_const_t<Element>;
  using narrow = typename std::remove_cvref_t<decltype(parameter)>::element_type;  // than a router's logits
  auto y = detail::writable(frame, x);
  frame.launch(kernel::add_bias<value, Memory, narrow>{.bias = parameter.bias, .y = y.data},
               y.data.template size<tokens>());
  return activation<Element, Memory>{y.data, y.full_hidden};
}

template <class At, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(bias_grad<At, Parameter, Role>, Frame&, activation<Element, Memory> dy) {
  return dy;
}
template <class At, class Parameter, class Role, class Gradients>
auto gradient_of(add_bias<At, Parameter, Role>, Gradients const& gradients) {
  return detail::linear_of(Role::of(gradients)).bias;
}
template <class At, class Parameter, class Role, class Frame, class Element, class Memory>
void accumulate(add_bias<At, Parameter, Role>, Frame& frame, activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& gradient = detail::linear_of(frame.template gradient<Role>());
  if (gradient.bias.data() == nullptr) return;
  detail::add_in<accumulator_t<value>>(frame, gradient.bias, [&](vector_view<accumulator_t<value>, Memory> to) {
    kernel::bias_grad<value, Memory> const sum{.dy = dy.data, .gradient = to};
    frame.launch(sum, sum.blocks());
  });
}

}  // namespace heddle::inline HEDDLE_ABI
