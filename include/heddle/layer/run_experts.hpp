// SPDX-License-Identifier: Apache-2.0
// What the experts do at run time: rows in expert order meet the matrices of their experts, and their gradients return.
#pragma once

#include <heddle/compute/parameter.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/expert_products.hpp>
#include <heddle/layer/run_padding.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Parameter, class Role, class Frame>
void check_experts(Frame& frame) {
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = frame.routing.expert_rows;
  check_part<in_features, Parameter>(frame, weight.template size<in_features>(), parameter.full_in);
  check_part<out_features, Parameter>(frame, weight.template size<out_features>(), parameter.full_out);
  if (static_cast<index_t>(counts.size()) != weight.template size<experts>()) {
    throw error(error_kind::shape,
                "a rank has the weights of " + std::to_string(weight.template size<experts>()) +
                    " experts and rows for " + std::to_string(counts.size()),
                "cut the expert weights with grouped_gemm<ep> on the mesh that the layer runs on");
  }
}

}  // namespace detail

template <class Mode, class From, class To, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(expert_gemm<Mode, From, To, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = detail::padded_rows<Mode>(frame);
  detail::check_width("the input of the experts", x.data.template size<hidden>(), weight.template size<in_features>());
  detail::check_experts<Parameter, Role>(frame);
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), weight.template size<out_features>());
  detail::to_outputs<Mode>(frame.execution(), x.data, counts, weight, y);
  return activation<value, Memory>{y, parameter.full_out};
}

template <class Mode, class From, class To, class Parameter, class Role, class Frame, class X, class Element,
          class Memory>
auto run(expert_dgrad<Mode, From, To, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const&,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = detail::padded_rows<Mode>(frame);
  detail::check_width("the gradient of the experts", dy.data.template size<hidden>(),
                      weight.template size<out_features>());
  auto dx = frame.template scratch_rows<value>(dy.data.template size<tokens>(), weight.template size<in_features>());
  detail::to_inputs<Mode>(frame.execution(), dy.data, counts, weight, dx);
  return activation<value, Memory>{dx, parameter.full_in};
}

template <class Mode, class From, class To, class Parameter, class Role, class Gradients>
auto gradient_of(expert_gemm<Mode, From, To, Parameter, Role>, Gradients const& gradients) {
  return Role::of(gradients).weight;
}
template <class Mode, class From, class To, class Parameter, class Role, class Frame, class X, class Element,
          class Memory>
void accumulate(expert_gemm<Mode, From, To, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const& saved,
                activation<Element, Memory> dy) {
  auto const& gradient = frame.template gradient<Role>().weight;
  auto const x = std::get<0>(saved.values).data;
  auto const counts = detail::padded_rows<Mode>(frame);
  detail::add_outer<Mode>(frame.execution(), dy.data, counts, x, gradient);
}

}  // namespace heddle::inline HEDDLE_ABI
