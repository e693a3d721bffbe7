// SPDX-License-Identifier: Apache-2.0
// What happens to rows at their experts: two matrices with an activation between them, and the gate scale before,
// between or behind them.
#pragma once

#include <heddle/compute/gate_scale.hpp>
#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// `Parts` are an expert's `on_groups`. Rows and their weights come in, or rows alone for `origin`; rows go out.
template <class Parts, weight_at At>
struct expert_body {
  // The weights of a copy, where the copy is: the same on every rank of etp.
  template <class Rows>
  using scale = sequence<gate_scale<Rows, typename Parts::entered>>;
  template <class... Sequences>
  using rows_only = sequence<on_port<0, concat_t<Sequences...>>>;

  static consteval auto body() {
    using first = typename Parts::first;
    using activate = typename Parts::activate;
    using second = typename Parts::second;
    if constexpr (At == weight_at::origin) return concat_t<first, activate, second>{};
    else if constexpr (At == weight_at::output)
      return concat_t<rows_only<first, activate, second>, scale<typename Parts::left>>{};
    else if constexpr (At == weight_at::activation)
      return concat_t<rows_only<first, activate>, scale<typename Parts::narrow>, second>{};
    else return concat_t<scale<typename Parts::entered>, first, activate, second>{};
  }
  using type = decltype(body());
};

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

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
