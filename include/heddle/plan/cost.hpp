// SPDX-License-Identifier: Apache-2.0
// What a step costs one rank, before it runs. Everything is constexpr:
// `static_assert(cost_of<style>(grid, 0, shape).bytes_sent<tp>() < budget)`.
#pragma once

#include <heddle/plan/price_collective.hpp>
#include <heddle/plan/price_compute.hpp>
#include <heddle/plan/price_dispatch.hpp>
#include <heddle/plan/price_router.hpp>
#include <heddle/plan/price_stores.hpp>
#include <heddle/sequence/leading.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

struct priced_bundle {
  std::array<priced_value, max_ports> values{};
  std::size_t count = 1;
};

template <class Operation>
struct pricer {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    // Several values into one keep the first: rows absorb their weights. One into two is a slice of the hidden axis.
    bundle.values[0] = price(Operation{}, p, bundle.values[0]);
    bundle.count = static_cast<std::size_t>(as_ports_t<typename Operation::to>::count);
    for (std::size_t i = 1; i < bundle.count; ++i) bundle.values[i] = bundle.values[0];
  }
};
template <class... Operations>
struct pricer<sequence<Operations...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    (pricer<Operations>::through(p, bundle), ...);
  }
};
template <class Branch, class P>
constexpr priced_value price_branch(P& p, priced_value value) {
  priced_bundle one{{value}};
  pricer<Branch>::through(p, one);
  return one.values[0];
}
template <class... Branches>
struct pricer<fork<Branches...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    priced_value const value = bundle.values[0];
    bundle.count = 0;
    ((bundle.values[bundle.count] = price_branch<Branches>(p, value), ++bundle.count), ...);
  }
};
template <class... Branches>
struct pricer<join<Branches...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    std::size_t i = 0;
    ((bundle.values[i] = price_branch<Branches>(p, bundle.values[i]), ++i), ...);
    bundle.count = 1;
    for (std::size_t sums = 1; sums < sizeof...(Branches); ++sums) p.keep(bundle.values[0]);
  }
};
template <std::size_t Port, class Branch>
struct pricer<on_port<Port, Branch>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    bundle.values[Port] = price_branch<Branch>(p, bundle.values[Port]);
  }
};
template <std::size_t In, std::size_t Out, class Branch>
struct pricer<leading<In, Out, Branch>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    priced_bundle led = bundle;
    led.count = In;
    pricer<Branch>::through(p, led);
    for (std::size_t i = 0; i < Out; ++i) bundle.values[i] = led.values[i];
  }
};
template <class... Operations>
struct pricer<each<sequence<Operations...>>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    (over<Operations>(p, bundle), ...);
  }
  template <class Operation, class P>
  static constexpr void over(P& p, priced_bundle& bundle) {
    for (std::size_t i = 0; i < bundle.count; ++i) bundle.values[i] = price(Operation{}, p, bundle.values[i]);
  }
};

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

}  // namespace detail

/// The bill of `rank` for one forward step of a style or layer on `grid` (a mesh or a folding).
template <class Style, class Grid>
[[nodiscard]] constexpr cost_report cost_of(Grid const& grid, int rank, layer_shape const& shape) {
  detail::pricing<Grid> p{grid, rank, shape};
  detail::priced_bundle bundle{{detail::priced_value{
      shape.rows, shape.width, shape.full_width == 0 ? shape.width : shape.full_width, shape.element_size}}};
  detail::price_style<Style>(p, bundle);
  return p.report;
}

}  // namespace heddle::inline HEDDLE_ABI
