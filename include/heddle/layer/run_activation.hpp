// SPDX-License-Identifier: Apache-2.0
// What activations do at run time, and the one place that says which kernel a tag means.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/kernel/activate.hpp>
#include <heddle/kernel/glu.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The kernel of an activation or a layout. A user's own tag brings a specialisation.
template <class Tag>
struct kernel_of;
template <>
struct kernel_of<silu> {
  using type = kernel::silu;
};
template <>
struct kernel_of<gelu> {
  using type = kernel::gelu;
};
template <>
struct kernel_of<quick_gelu> {
  using type = kernel::quick_gelu;
};
template <>
struct kernel_of<relu> {
  using type = kernel::relu;
};
template <>
struct kernel_of<squared_relu> {
  using type = kernel::squared_relu;
};
template <>
struct kernel_of<gpt_oss> {
  using type = kernel::gpt_oss;
};
template <int Limit>
struct kernel_of<clamped_silu<Limit>> {
  using type = kernel::clamped_swiglu<Limit>;
};
template <>
struct kernel_of<halves> {
  using type = kernel::halves;
};
template <>
struct kernel_of<interleaved> {
  using type = kernel::interleaved;
};
template <std::int64_t Block>
struct kernel_of<block_interleaved<Block>> {
  using type = kernel::block_interleaved<Block>;
};
template <class Tag>
using kernel_of_t = typename kernel_of<Tag>::type;

// -- glu | glu_grad

template <class Activation, class From, class To, class Layout, class Frame, class Element, class Memory>
auto run(glu<Activation, From, To, Layout>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const width = x.data.template size<hidden>();
  if (width % 2 != 0) detail::check_width("the input of a gated activation", width, width + 1);
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), width / 2);
  frame.launch(kernel::glu<kernel_of_t<Activation>, value, Memory, kernel_of_t<Layout>>{.gate_up = x.data, .y = y},
               x.data.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden / 2};
}

template <class Activation, class From, class To, class Layout, class Frame, class X, class Element, class Memory>
auto run(glu_grad<Activation, From, To, Layout>, Frame& frame, kept<activation<X, Memory>> const& saved,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const x = std::get<0>(saved.values).data;
  detail::check_width("the gradient of a gated activation", 2 * dy.data.template size<hidden>(),
                      x.template size<hidden>());
  auto dx = frame.template scratch_rows<value>(x.template size<tokens>(), x.template size<hidden>());
  frame.launch(
      kernel::glu_grad<kernel_of_t<Activation>, value, Memory, kernel_of_t<Layout>>{
          .gate_up = x, .dy = dy.data, .dgate_up = dx},
      x.template size<tokens>());
  return activation<value, Memory>{dx, 2 * dy.full_hidden};
}

// -- activate | activate_grad

template <class Activation, class At, class Frame, class Element, class Memory>
auto run(activate<Activation, At>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  rows<value, Memory> const y = detail::place_for(frame, x);
  frame.launch(kernel::activate<kernel_of_t<Activation>, value, Memory>{.x = x.data, .y = y},
               y.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden};
}

template <class Activation, class At, class Frame, class X, class Element, class Memory>
auto run(activate_grad<Activation, At>, Frame& frame, kept<activation<X, Memory>> const& saved,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  rows<value, Memory> const dx = detail::place_for(frame, dy);
  frame.launch(
      kernel::activate_grad<kernel_of_t<Activation>, value, Memory>{
          .x = std::get<0>(saved.values).data, .dy = dy.data, .dx = dx},
      dx.template size<tokens>());
  return activation<value, Memory>{dx, dy.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
