// SPDX-License-Identifier: Apache-2.0
// What happens to rows and their weights on one rank between the exchanges: gates, biases, gaps, masks. None of it
// multiplies matrices or sends anything.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/columns.hpp>
#include <heddle/compute/expert_bias.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/identity_experts.hpp>
#include <heddle/compute/mask_routing.hpp>
#include <heddle/compute/pad_rows.hpp>
#include <heddle/compute/token_gate.hpp>
#include <heddle/plan/price_dispatch.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The gradient of one weight a row.
template <class P>
constexpr priced_value price_weights(P& p, priced_value x) {
  p.keep({.rows = x.rows, .width = 1, .element_size = sum_size(p.shape.element_size)});
  return x;
}

}  // namespace detail

// -- biases are added in place, and their gradients pass

template <class P, class At, class W, class R>
constexpr detail::priced_value price(add_bias<At, W, R>, P&, detail::priced_value x) {
  return x;
}
template <class P, class At, class W, class R>
constexpr detail::priced_value price(bias_grad<At, W, R>, P&, detail::priced_value x) {
  return x;
}
template <class P, class M, class At, class W, class R>
constexpr detail::priced_value price(add_expert_bias<M, At, W, R>, P&, detail::priced_value x) {
  return x;
}
template <class P, class M, class At, class W, class R>
constexpr detail::priced_value price(expert_bias_grad<M, At, W, R>, P&, detail::priced_value x) {
  return x;
}
template <class P, class M, class At, class G, class W, class R>
constexpr detail::priced_value price(add_weighted_bias<M, At, G, W, R>, P&, detail::priced_value x) {
  return x;
}
template <class P, class M, class At, class G, class W, class R>
constexpr detail::priced_value price(weighted_bias_grad<M, At, G, W, R>, P& p, detail::priced_value x) {
  return detail::price_weights(p, x);
}

// -- weights meet rows in place; their gradients are new

template <class P, class Rows, class Weights>
constexpr detail::priced_value price(gate_scale<Rows, Weights>, P&, detail::priced_value x) {
  return x;
}
template <class P, class Rows, class Weights>
constexpr detail::priced_value price(gate_scale_grad<Rows, Weights>, P& p, detail::priced_value x) {
  return detail::price_weights(p, x);
}
template <class P, class Rows, class Weights>
constexpr detail::priced_value price(gate_scale_keep<Rows, Weights>, P&, detail::priced_value x) {
  return x;
}
template <class P, class Rows, class Weights>
constexpr detail::priced_value price(gate_scale_keep_grad<Rows, Weights>, P& p, detail::priced_value x) {
  return detail::price_weights(p, x);
}
template <class P, class At>
constexpr detail::priced_value price(token_gate<At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class At>
constexpr detail::priced_value price(token_gate_grad<At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class At>
constexpr detail::priced_value price(mask_padding<At>, P&, detail::priced_value x) {
  return x;
}
template <class P, class G>
constexpr detail::priced_value price(mask_routing<G>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class G>
constexpr detail::priced_value price(mask_routing_grad<G>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}

// -- gaps

template <class P, class G, class M>
constexpr detail::priced_value price(pad_rows<G, M>, P& p, detail::priced_value x) {
  p.packed_rows = x.rows;
  p.keep(x);
  return detail::price_gaps<G>(p, x, M::multiple);
}
template <class P, class G, class M>
constexpr detail::priced_value price(unpad_rows<G, M>, P& p, detail::priced_value x) {
  x.rows = p.packed_rows;
  p.keep(x);
  return x;
}

// -- parts of rows; where a slice cuts, weights say: both parts are taken to be as wide as the whole

template <class P, class At>
constexpr detail::priced_value price(slice<At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class At>
constexpr detail::priced_value price(concat_columns<At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}

// -- experts that return their input: their rows stay at home

template <class P, class At>
constexpr detail::priced_value price(identity_experts<At>, P& p, detail::priced_value x) {
  p.identity = p.shape.identity;
  p.shape.experts -= p.identity;
  p.keep(x);
  return x;
}
template <class P, class At>
constexpr detail::priced_value price(identity_experts_grad<At>, P&, detail::priced_value x) {
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
