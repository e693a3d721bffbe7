// SPDX-License-Identifier: Apache-2.0
// What the experts do at run time: rows in expert order meet the matrices of their experts.
#pragma once

#include <heddle/compute/expert_gemm.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Mode, class From, class To, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(expert_gemm<Mode, From, To, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const& weight = parameter.weight;
  auto const counts = frame.routing.expert_rows;
  detail::check_width("the input of the experts", x.data.template size<hidden>(), weight.template size<in_features>());
  detail::check_part<in_features, Parameter>(frame, weight.template size<in_features>(), parameter.full_in);
  detail::check_part<out_features, Parameter>(frame, weight.template size<out_features>(), parameter.full_out);
  if (static_cast<index_t>(counts.size()) != weight.template size<experts>()) {
    throw error(error_kind::shape,
                "a rank has the weights of " + std::to_string(weight.template size<experts>()) +
                    " experts and rows for " + std::to_string(counts.size()),
                "cut the expert weights with grouped_gemm<ep> on the mesh that the layer runs on");
  }
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), weight.template size<out_features>());
  if constexpr (std::same_as<Mode, grouped>) {
    frame.execution().multiply_grouped(x.data, counts, weight, y);
  } else {
    index_t row = 0;
    for (index_t e = 0; e < weight.template size<experts>(); ++e) {
      index_t const count = counts[static_cast<std::size_t>(e)];
      rows<Element const, Memory> const in{x.data.row(row),
                                           extents<tokens, hidden>{count, x.data.template size<hidden>()}};
      rows<value, Memory> const out{y.row(row), extents<tokens, hidden>{count, y.template size<hidden>()}};
      matrix<value const, Memory> const of{weight.row(e),
                                           extents<out_features, in_features>{weight.template size<out_features>(),
                                                                              weight.template size<in_features>()}};
      if (count > 0) frame.execution().multiply(in, of, out);
      row += count;
    }
  }
  return activation<value, Memory>{y, parameter.full_out};
}

}  // namespace heddle::inline HEDDLE_ABI
