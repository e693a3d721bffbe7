// SPDX-License-Identifier: Apache-2.0
// The few loops over spans that would otherwise cost every user <algorithm>, and sums that are written in many places.
#pragma once

#include <heddle/core/config.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Number>
[[nodiscard]] constexpr Number larger(Number a, Number b) {
  return a < b ? b : a;
}
template <class Number>
[[nodiscard]] constexpr Number smaller(Number a, Number b) {
  return b < a ? b : a;
}
/// The smallest multiple that is not below a number.
template <class Number>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Number rounded_up(Number number, std::type_identity_t<Number> multiple) {
  return (number + multiple - 1) / multiple * multiple;
}
/// to[i] = from[i]; `to` is at least as long.
template <class From, class To>
constexpr void copy_all(std::span<From> from, std::span<To> to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
}
template <class Element>
constexpr void fill_all(std::span<Element> data, std::type_identity_t<Element> value) {
  for (Element& element : data) element = value;
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
