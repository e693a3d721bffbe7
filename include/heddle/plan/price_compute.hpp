// SPDX-License-Identifier: Apache-2.0
// What the operations that stay on a rank cost.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/compute/embedding.hpp>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/compute/norm.hpp>
#include <heddle/compute/spread.hpp>
#include <heddle/plan/bill.hpp>
#include <heddle/router/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {
/// Out features of a role over all ranks.
template <class P, class Role>
constexpr index_t out_of(P const& p, Role) {
  if constexpr (std::same_as<Role, gate_role>) return p.shape.experts;
  else if constexpr (std::same_as<Role, shared_fc1_role>) return p.halves ? 2 * p.shape.shared : p.shape.shared;
  else if constexpr (std::same_as<Role, shared_fc2_role>) return p.shape.width;
  else if constexpr (std::same_as<Role, shared_gate_role>) return 1;
  else return p.shape.out;
}
}  // namespace detail

template <class P, class F, class T, class W, class R>
constexpr detail::priced_value price(gemm<F, T, W, R>, P& p, detail::priced_value x) {
  index_t const full = detail::out_of(p, R{});
  index_t const out = detail::owned<out_features>(W{}, p, full);
  p.report.flops += 2 * x.rows * x.width * out;
  x.width = out;
  x.full_width = full;
  if (std::same_as<R, gate_role> || std::same_as<R, shared_gate_role>)
    x.element_size = detail::sum_size(x.element_size);
  p.keep(x);
  return x;
}
/// Of the rows and, in the weight pass, of the matrix.
template <class P, class F, class T, class W, class R>
constexpr detail::priced_value price(dgrad<F, T, W, R>, P& p, detail::priced_value x) {
  p.report.flops += 4 * x.rows * x.width * p.before.width;
  p.keep(p.before);
  return p.before;
}
template <class P, class F, class T, class W>
constexpr detail::priced_value price(embed<F, T, W>, P& p, detail::priced_value x) {
  x.width = detail::owned<hidden>(W{}, p, p.shape.out);
  x.full_width = p.shape.out;
  p.keep(x);
  return x;
}
/// Ids have no gradient.
template <class P, class F, class T, class W>
constexpr detail::priced_value price(embed_grad<F, T, W>, P&, detail::priced_value x) {
  return x;
}
template <class P, class At, class W, class R>
constexpr detail::priced_value price(normalise_grad<At, W, R>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class At, class W, class R>
constexpr detail::priced_value price(normalise<At, W, R>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class A, class F, class T, class L>
constexpr detail::priced_value price(glu<A, F, T, L>, P& p, detail::priced_value x) {
  x.width /= 2;
  x.full_width /= 2;
  p.keep(x);
  return x;
}
template <class P, class A, class F, class T, class L>
constexpr detail::priced_value price(glu_grad<A, F, T, L>, P& p, detail::priced_value) {
  p.keep(p.before);
  return p.before;
}
template <class P, class A, class At>
constexpr detail::priced_value price(activate_grad<A, At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class A, class At>
constexpr detail::priced_value price(activate<A, At>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class S, int K, class C>
constexpr detail::priced_value price(choose<S, K, C>, P& p, detail::priced_value x) {
  p.begin_routing();
  x.width = C::slots_of(K == static_cast<int>(dynamic) ? p.shape.top_k : K, p.shape.experts);
  x.element_size = detail::sum_size(p.shape.element_size) + static_cast<index_t>(sizeof(std::int32_t));
  x.gates = true;
  p.keep(x);
  return x;
}
template <class P, class S, int K, class C>
constexpr detail::priced_value price(choose_grad<S, K, C>, P& p, detail::priced_value) {
  p.keep(p.before);
  return p.before;
}
namespace detail {
/// Whether fc1 has gate and up columns: then its outputs are cut so that pairs stay together.
template <class Entry>
inline constexpr bool has_gate = true;
template <class Group>
inline constexpr bool has_gate<on<Group, sharded<out_features>>> = false;
template <class... Entries>
constexpr index_t fc1_rows(placement<Entries...>, index_t ffn) {
  return (has_gate<Entries> && ...) ? 2 * ffn : ffn;
}
}  // namespace detail
template <class P, class M, class F, class T, class W, class R>
constexpr detail::priced_value price(expert_gemm<M, F, T, W, R>, P& p, detail::priced_value x) {
  bool constexpr first = std::same_as<R, fc1_role>;
  index_t const full = first ? detail::fc1_rows(W{}, p.shape.ffn) : p.shape.width;
  index_t const out = detail::owned<out_features>(W{}, p, full);
  p.report.flops += 2 * x.rows * x.width * out;
  x.width = out;
  x.full_width = full;
  p.keep(x);
  return x;
}
template <class P, class M, class F, class T, class W, class R>
constexpr detail::priced_value price(expert_dgrad<M, F, T, W, R>, P& p, detail::priced_value x) {
  p.report.flops += 4 * x.rows * x.width * p.before.width;
  p.keep(p.before);
  return p.before;
}
template <class P, class G>
constexpr detail::priced_value price(spread<G>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
