// SPDX-License-Identifier: Apache-2.0
// Values in a bundle: one entry a port, and what is kept of them for the backward pass.
#pragma once

#include <heddle/layer/value.hpp>
#include <tuple>
#include <utility>

namespace heddle::inline HEDDLE_ABI {

/// Values of the forward pass that a conjugate meets again, read only.
template <class... Values>
struct kept {
  std::tuple<Values...> values;
};
/// An operation that needs nothing again.
struct nothing_kept {};

namespace detail {

template <class Value>
std::tuple<Value> bundled(Value value) {
  return {value};
}
/// A tuple of one, whatever the one is.
template <class Value>
std::tuple<Value> single(Value const& value) {
  return std::tuple<Value>{value};
}
template <class First, class Second>
std::tuple<First, Second> bundled(std::pair<First, Second> values) {
  return {values.first, values.second};
}

template <class... Values>
std::tuple<Values...> bundled(std::tuple<Values...> const& values) {
  return values;
}

/// The value that may be used: itself; a branch on another lane is waited for.
template <class Value>
Value const& arrived(Value const& value) {
  return value;
}

/// The same values read only.
template <class... Values>
auto borrowed(std::tuple<Values...> const& values) {
  return std::apply([](auto const&... value) { return std::tuple{borrow(arrived(value))...}; }, values);
}
template <class... Values>
kept<Values...> keeping(std::tuple<Values...> values) {
  return {values};
}
/// The tuple with another value at one place.
template <std::size_t Port, class... Values, class Value>
auto with_port(std::tuple<Values...> const& values, Value const& value) {
  return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    auto const pick = [&]<std::size_t At>(std::integral_constant<std::size_t, At>) {
      if constexpr (At == Port) return value;
      else return std::get<At>(values);
    };
    return std::tuple{pick(std::integral_constant<std::size_t, Index>{})...};
  }
  (std::index_sequence_for<Values...>{});
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
