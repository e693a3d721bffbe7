// SPDX-License-Identifier: Apache-2.0
// Gradients of parameters: structs with the members of the weights they belong to, in the type that sums run in.
#pragma once

#include <heddle/compute/parameter.hpp>
#include <heddle/core/dtype.hpp>
#include <tuple>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// A view of zeros with the extents of `of`, in the execution's workspace.
template <class Execution, class Element, class Extents, class Memory>
auto zeros_like(Execution& execution, view<Element, Extents, Memory> const& of) {
  using sum = accumulator_t<std::remove_const_t<Element>>;
  sum* const data = of.data() == nullptr ? nullptr : execution.template allocate<sum>(of.count());
  if (data != nullptr) execution.fill_zero(data, of.count());
  return view<sum, Extents, Memory>{data, of.shape()};
}

}  // namespace detail

/// Zeros for the gradients of a parameter struct, in the execution's workspace; a parameter that is not there (a null
/// bias) has none. A user's own struct brings its overload.
template <class Execution, class T, class Memory>
linear_gradient<T, Memory> zero_gradients(Execution& execution, linear<T, Memory> const& weights) {
  return {detail::zeros_like(execution, weights.weight), detail::zeros_like(execution, weights.bias)};
}
template <class Execution, class T, class Memory>
vector_gradient<T, Memory> zero_gradients(Execution& execution, norm_weight<T, Memory> const& weights) {
  return {detail::zeros_like(execution, weights.weight)};
}
template <class Execution, class T, class Memory>
linear_gradient<T, Memory> zero_gradients(Execution& execution, embedding_table<T, Memory> const& table) {
  return {detail::zeros_like(execution, table.weight), {}};
}
template <class Execution, class T, class Memory, class Order>
expert_gradient<T, Memory, Order> zero_gradients(Execution& execution, expert_linear<T, Memory, Order> const& weights) {
  return {detail::zeros_like(execution, weights.weight), detail::zeros_like(execution, weights.bias)};
}
template <class Execution, class T, class Memory>
shared_gradients<T, Memory> zero_gradients(Execution& execution, shared_weights<T, Memory> const& weights) {
  return {zero_gradients(execution, weights.fc1), zero_gradients(execution, weights.fc2),
          zero_gradients(execution, weights.gate)};
}
template <class Execution, class T, class Memory, class Order>
moe_gradients<T, Memory, Order> zero_gradients(Execution& execution, moe_weights<T, Memory, Order> const& weights) {
  return {zero_gradients(execution, weights.gate), zero_gradients(execution, weights.fc1),
          zero_gradients(execution, weights.fc2), zero_gradients(execution, weights.shared)};
}
template <class Execution, class T, class Memory>
sliced_gradient<T, Memory> zero_gradients(Execution& execution, sliced_linear<T, Memory> const& weights) {
  return {zero_gradients(execution, weights.projection)};
}
/// One entry a style of a layer.
template <class Execution, class... Weights>
auto zero_gradients(Execution& execution, std::tuple<Weights...> const& weights) {
  return std::apply([&](auto const&... each) { return std::tuple{zero_gradients(execution, each)...}; }, weights);
}

}  // namespace heddle::inline HEDDLE_ABI
