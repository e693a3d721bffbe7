// SPDX-License-Identifier: Apache-2.0
// What a step costs one rank, before it runs. Everything is constexpr:
// `static_assert(cost_of<style>(grid, 0, shape).bytes_sent<tp>() < budget)`.
#pragma once

#include <heddle/plan/price_walk.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Style, class P>
constexpr void price_style(P& p, priced_bundle& bundle);
/// The styles of a layer share one step: what one has exchanged the next knows.
template <class... Styles, class P>
constexpr void price_styles(type_list<Styles...>, P& p, priced_bundle& bundle) {
  (price_style<Styles>(p, bundle), ...);
}
template <class Style, class P>
constexpr void price_style(P& p, priced_bundle& bundle) {
  if constexpr (requires { typename Style::styles; }) {
    price_styles(typename Style::styles{}, p, bundle);
  } else {
    pricer<typename Style::forward>::through(p, bundle);
  }
}

[[nodiscard]] constexpr priced_bundle first_bundle(layer_shape const& shape) {
  return {{priced_value{shape.rows, shape.width, shape.full_width == 0 ? shape.width : shape.full_width,
                        shape.element_size}}};
}

}  // namespace detail

/// The bill of `rank` for one forward step of a style or layer on `grid` (a mesh or a folding).
template <class Style, class Grid>
[[nodiscard]] constexpr cost_report cost_of(Grid const& grid, int rank, layer_shape const& shape) {
  detail::pricing<Grid> p{grid, rank, shape};
  detail::priced_bundle bundle = detail::first_bundle(shape);
  detail::price_style<Style>(p, bundle);
  return p.report;
}

}  // namespace heddle::inline HEDDLE_ABI
