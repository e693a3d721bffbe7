// SPDX-License-Identifier: Apache-2.0
// What happens to rows at their experts: two matrices with an activation between them, and the gate scale before,
// between or behind them.
#pragma once

#include <heddle/compute/gate_scale.hpp>
#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// A sequence on every port; nothing where it is empty.
template <class Sequence>
struct on_both {
  using type = sequence<each<Sequence>>;
};
template <>
struct on_both<sequence<>> {
  using type = sequence<>;
};
template <class Sequence>
using on_both_t = typename on_both<Sequence>::type;
/// A sequence on the first port; nothing where it is empty.
template <class Sequence>
struct on_first {
  using type = sequence<on_port<0, Sequence>>;
};
template <>
struct on_first<sequence<>> {
  using type = sequence<>;
};
template <class Sequence>
using on_first_t = typename on_first<Sequence>::type;

/// Those of an expert's pieces that not every expert has.
template <class Parts>
struct pieces_of {
  using enter = sequence<>;
  using leave = sequence<>;
  using product = typename Parts::second;
  using bias = sequence<>;
  using weighted_bias = sequence<>;
  static constexpr bool biased = false;
  static constexpr bool recomputes = false;
};
template <class Parts>
  requires requires { typename Parts::weighted_bias; }
struct pieces_of<Parts> : Parts {};

/// `Parts` are an expert's `on_groups`. Rows and their weights come in, or rows alone for `origin`; rows go out.
template <class Parts, weight_at At>
struct expert_body {
  using pieces = pieces_of<Parts>;
  using entered = typename Parts::entered;
  // The weights of a copy, where the copy is: the same on every rank of etp.
  template <class Rows>
  using scale = sequence<gate_scale<Rows, entered>>;
  template <class... Sequences>
  using rows_only = sequence<on_port<0, concat_t<Sequences...>>>;
  // All that lies between the first matrix and the second's product may be computed twice instead of being saved.
  template <class... Sequences>
  using again =
      std::conditional_t<pieces::recomputes, sequence<recompute<concat_t<Sequences...>>>, concat_t<Sequences...>>;

  static consteval auto body() {
    using first = typename Parts::first;
    using activate = typename Parts::activate;
    using product = typename pieces::product;
    using bias = typename pieces::bias;
    if constexpr (At == weight_at::origin) {
      return concat_t<first, again<activate, product>, bias>{};
    } else if constexpr (At == weight_at::output) {
      return concat_t<rows_only<first, again<activate, product>, bias>, scale<typename Parts::left>>{};
    } else if constexpr (At == weight_at::input) {
      return concat_t<scale<entered>, first, again<activate, product>, bias>{};
    } else {
      using narrow = typename Parts::narrow;
      using weigh = std::conditional_t<pieces::biased, sequence<gate_scale_keep<narrow, entered>>, scale<narrow>>;
      using last = std::conditional_t<pieces::biased, rows_only<product>, product>;
      if constexpr (pieces::recomputes)
        return concat_t<rows_only<first>, again<rows_only<activate>, weigh, last>, typename pieces::weighted_bias>{};
      else return concat_t<rows_only<first, activate>, weigh, last, typename pieces::weighted_bias>{};
    }
  }
  using enter = std::conditional_t<At == weight_at::origin, typename pieces::enter, on_both_t<typename pieces::enter>>;
  using type = concat_t<enter, decltype(body()), typename pieces::leave>;
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
