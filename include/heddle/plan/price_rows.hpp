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

// -- biases are added in place, and weights meet rows in place; the gradients of weights are new

namespace detail {

template <class... A>
inline constexpr row_price price_of_rows<add_bias<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<bias_grad<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<add_expert_bias<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<expert_bias_grad<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<add_weighted_bias<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<weighted_bias_grad<A...>> = row_price::weights;

template <class... A>
inline constexpr row_price price_of_rows<gate_scale<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<gate_scale_grad<A...>> = row_price::weights;
template <class... A>
inline constexpr row_price price_of_rows<gate_scale_keep<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<gate_scale_keep_grad<A...>> = row_price::weights;
template <class... A>
inline constexpr row_price price_of_rows<token_gate<A...>> = row_price::rows;
template <class... A>
inline constexpr row_price price_of_rows<token_gate_grad<A...>> = row_price::rows;

template <class... A>
inline constexpr row_price price_of_rows<mask_padding<A...>> = row_price::none;
template <class... A>
inline constexpr row_price price_of_rows<mask_routing<A...>> = row_price::rows;
template <class... A>
inline constexpr row_price price_of_rows<mask_routing_grad<A...>> = row_price::rows;

// Parts of rows; where a slice cuts, weights say: both parts are taken to be as wide as the whole.
template <class... A>
inline constexpr row_price price_of_rows<slice<A...>> = row_price::rows;
template <class... A>
inline constexpr row_price price_of_rows<concat_columns<A...>> = row_price::rows;

template <class... A>
inline constexpr row_price price_of_rows<identity_experts_grad<A...>> = row_price::none;

}  // namespace detail

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

// -- experts that return their input: their rows stay at home

template <class P, class At>
constexpr detail::priced_value price(identity_experts<At>, P& p, detail::priced_value x) {
  p.identity = p.shape.identity;
  p.shape.experts -= p.identity;
  p.keep(x);
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
