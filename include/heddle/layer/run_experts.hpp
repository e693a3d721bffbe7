// SPDX-License-Identifier: Apache-2.0
// What the experts do at run time: rows in expert order meet the matrices of their experts, and their gradients return.
#pragma once

#include <heddle/compute/expert_gemm.hpp>
#include <heddle/layer/run_router.hpp>

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

/// visit(expert, first row, rows) for every expert that has rows.
template <class Visit>
void each_expert(std::span<index_t const> counts, Visit visit) {
  index_t row = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    if (counts[e] > 0) visit(static_cast<index_t>(e), row, counts[e]);
    row += counts[e];
  }
}

/// The rows of one expert.
template <class Element, class Memory>
[[nodiscard]] rows<Element, Memory> part_of(rows<Element, Memory> x, index_t first, index_t count) {
  return {x.row(first), extents<tokens, hidden>{count, x.template size<hidden>()}};
}
/// The matrix of one expert.
template <class Element, class Memory>
[[nodiscard]] matrix<Element, Memory> matrix_of(matrices<Element, Memory> w, index_t expert) {
  return {w.row(expert),
          extents<out_features, in_features>{w.template size<out_features>(), w.template size<in_features>()}};
}

}  // namespace detail

template <class Mode, class From, class To, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(expert_gemm<Mode, From, To, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = frame.routing.expert_rows;
  detail::check_width("the input of the experts", x.data.template size<hidden>(), weight.template size<in_features>());
  detail::check_experts<Parameter, Role>(frame);
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), weight.template size<out_features>());
  if constexpr (std::same_as<Mode, grouped>) {
    frame.execution().multiply_grouped(x.data, counts, weight, y);
  } else {
    detail::each_expert(counts, [&](index_t e, index_t first, index_t count) {
      frame.execution().multiply(detail::part_of(x.data, first, count), detail::matrix_of(weight, e),
                                 detail::part_of(y, first, count));
    });
  }
  return activation<value, Memory>{y, parameter.full_out};
}

template <class Mode, class From, class To, class Parameter, class Role, class Frame, class X, class Element,
          class Memory>
auto run(expert_dgrad<Mode, From, To, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const&,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = frame.routing.expert_rows;
  detail::check_width("the gradient of the experts", dy.data.template size<hidden>(),
                      weight.template size<out_features>());
  auto dx = frame.template scratch_rows<value>(dy.data.template size<tokens>(), weight.template size<in_features>());
  if constexpr (std::same_as<Mode, grouped>) {
    frame.execution().multiply_transposed_grouped(dy.data, counts, weight, dx);
  } else {
    detail::each_expert(counts, [&](index_t e, index_t first, index_t count) {
      frame.execution().multiply_transposed(detail::part_of(dy.data, first, count), detail::matrix_of(weight, e),
                                            detail::part_of(dx, first, count));
    });
  }
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
  auto const counts = frame.routing.expert_rows;
  if constexpr (std::same_as<Mode, grouped>) {
    frame.execution().accumulate_outer_grouped(dy.data, counts, x, gradient);
  } else {
    detail::each_expert(counts, [&](index_t e, index_t first, index_t count) {
      frame.execution().accumulate_outer(detail::part_of(dy.data, first, count), detail::part_of(x, first, count),
                                         detail::matrix_of(gradient, e));
    });
  }
}

}  // namespace heddle::inline HEDDLE_ABI
