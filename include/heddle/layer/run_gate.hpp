// SPDX-License-Identifier: Apache-2.0
// What stands before a choice at run time: noise on what the router sees, and logits in a wider type.
#pragma once

#include <heddle/kernel/cast.hpp>
#include <heddle/kernel/jitter.hpp>
#include <heddle/layer/run_linear.hpp>
#include <heddle/router/gate_in.hpp>
#include <heddle/router/jitter.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- jitter, its own conjugate

template <class Frame, class Element, class Memory>
auto run(jitter, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  double const epsilon = frame.weights().options.jitter;
  if (epsilon == 0) return x;
  rows<value, Memory> const y = detail::place_for(frame, x);
  kernel::jitter<value, Memory> const noise{
      .x = x.data, .y = y, .epsilon = epsilon, .seed = frame.inputs.seed, .first_token = frame.inputs.first_token};
  noise.check();
  frame.launch(noise, y.template size<tokens>());
  return activation<Element, Memory>{y, x.full_hidden};
}

// -- wide_gemm | wide_dgrad

namespace detail {

/// The same numbers in another type; themselves where the type is theirs.
template <class To, class Frame, class From, class Memory>
rows<To const, Memory> as(Frame& frame, rows<From, Memory> x) {
  using given = std::remove_const_t<From>;
  if constexpr (std::same_as<given, To>) {
    return x;
  } else {
    auto const y = frame.template scratch_rows<To>(x.shape()[0], x.row_size());
    frame.launch(kernel::cast<given, To, Memory>{.x = x, .y = y}, x.shape()[0]);
    return y;
  }
}
template <class To, class Frame, class From, class Memory>
matrix<To const, Memory> as(Frame& frame, matrix<From, Memory> x) {
  extents<tokens, hidden> const shape{x.shape()[0], x.row_size()};
  return {as<To>(frame, rows<From, Memory>{x.data(), shape}).data(), x.shape()};
}

}  // namespace detail

template <class Real, class Frame, class Element, class Memory>
auto run(wide_gemm<Real>, Frame& frame, activation<Element, Memory> x) {
  auto const& parameter = frame.template parameter<gate_role>();
  detail::check_width("the input of a router", x.data.template size<hidden>(),
                      parameter.weight.template size<in_features>());
  auto const logits =
      frame.template scratch_rows<Real>(x.data.template size<tokens>(), parameter.weight.template size<out_features>());
  frame.execution().multiply(detail::as<Real>(frame, x.data), detail::as<Real>(frame, parameter.weight), logits);
  return activation<Real, Memory>{logits, logits.row_size()};
}

template <class Real, class Frame, class X, class Element, class Memory>
auto run(wide_dgrad<Real>, Frame& frame, kept<activation<X, Memory>> const&, activation<Element, Memory> dy) {
  using value = std::remove_const_t<X>;
  auto const& weight = frame.template parameter<gate_role>().weight;
  index_t const height = dy.data.template size<tokens>();
  index_t const width = weight.template size<in_features>();
  auto const wide = frame.template scratch_rows<Real>(height, width);
  frame.execution().multiply_transposed(dy.data, detail::as<Real>(frame, weight), wide);
  if constexpr (std::same_as<value, Real>) {
    return activation<value, Memory>{wide, width};
  } else {
    auto const dx = frame.template scratch_rows<value>(height, width);
    frame.launch(kernel::cast<Real, value, Memory>{.x = wide, .y = dx}, height);
    return activation<value, Memory>{dx, width};
  }
}
template <class Real, class Gradients>
auto gradient_of(wide_gemm<Real>, Gradients const& gradients) {
  return gate_role::of(gradients).weight;
}
template <class Real, class Frame, class X, class Element, class Memory>
void accumulate(wide_gemm<Real>, Frame& frame, kept<activation<X, Memory>> const& saved,
                activation<Element, Memory> dy) {
  auto const& gradient = frame.template gradient<gate_role>().weight;
  using given = std::remove_const_t<X>;
  auto const heard = detail::heard_rows<Frame, given, std::remove_const_t<Element>, Memory>(
      frame, std::get<0>(saved.values).data, dy.data);
  auto const x = detail::as<Real>(frame, heard);
  detail::add_in<Real>(frame, gradient,
                       [&](matrix<Real, Memory> to) { frame.execution().accumulate_outer(dy.data, x, to); });
}

}  // namespace heddle::inline HEDDLE_ABI
