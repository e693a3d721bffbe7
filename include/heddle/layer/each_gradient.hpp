// SPDX-License-Identifier: Apache-2.0
// The gradients of a style or layer one by one, each with the operation that it belongs to.
#pragma once

#include <heddle/layer/backward.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// visit(parameterised operation, gradient view, index among the parameters of the whole), in forward order.
template <class Style>
struct gradient_visitor {
  using operations = typename parameterised_in<typename Style::forward>::type;
  static constexpr std::size_t count = operations::size;

  template <std::size_t First, class Gradients, class Visit>
  static void visit(Gradients const& gradients, Visit const& each) {
    visit_all<First>(gradients, each, operations{});
  }

 private:
  template <std::size_t First, class Gradients, class Visit, class... Operations>
  static void visit_all(Gradients const& gradients, Visit const& each, type_list<Operations...>) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (each(Operations{}, gradient_of(Operations{}, gradients), std::integral_constant<std::size_t, First + Index>{}),
       ...);
    }
    (std::index_sequence_for<Operations...>{});
  }
};

template <class... Styles>
struct gradient_visitor<layer<Styles...>> {
  using entries = back_runner<layer<Styles...>>;

  template <std::size_t First, class Gradients, class Visit>
  static void visit(Gradients const& gradients, Visit const& each) {
    from<0, First>(gradients, each);
  }

 private:
  template <std::size_t Index, std::size_t First, class Gradients, class Visit>
  static void from(Gradients const& gradients, Visit const& each) {
    if constexpr (Index < entries::count) {
      using style = typename entries::template style<Index>;
      gradient_visitor<style>::template visit<First>(entries::template entry<Index>(gradients), each);
      from<Index + 1, First + gradient_visitor<style>::count>(gradients, each);
    }
  }
};

template <class Style, class Gradients, class Visit>
void each_gradient(Gradients const& gradients, Visit const& visit) {
  gradient_visitor<Style>::template visit<0>(gradients, visit);
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
