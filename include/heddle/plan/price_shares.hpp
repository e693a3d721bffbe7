// SPDX-License-Identifier: Apache-2.0
// What parameters cost that a group shares out: every tensor is gathered before use, and its gradient summed into the
// parts. Which tensors there are, the operations say as they are priced.
#pragma once

#include <heddle/plan/price_compute.hpp>
#include <heddle/plan/price_router.hpp>
#include <heddle/plan/price_rows.hpp>
#include <heddle/sequence/gathered.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// A parameter [experts, out, in] as its group gathers it, and its sizes over all ranks; `out` stands for the words of
/// a table too. A parameter that may have a bias has one number for each of `out`.
struct priced_parameter {
  index_t experts = 1, out = 1, in = 1;
  index_t full_experts = 1, full_out = 1;
  bool may_have_bias = false;
};

/// The parameter of an operation that takes `x` and gives `y`; other operations share those of a product.
template <class P, class Operation>
constexpr priced_parameter parameter_of(Operation, P const&, priced_value const&, priced_value const&) {
  return {.out = 0, .full_out = 0};
}
template <class P, class F, class T, class W, class R>
constexpr priced_parameter parameter_of(gemm<F, T, W, R>, P const&, priced_value const& x, priced_value const& y) {
  return {.out = y.width, .in = x.width, .full_out = y.full_width, .may_have_bias = true};
}
template <class P, class Real>
constexpr priced_parameter parameter_of(wide_gemm<Real>, P const&, priced_value const& x, priced_value const& y) {
  return {.out = y.width, .in = x.width, .full_out = y.width, .may_have_bias = true};
}
template <class P, class M, class F, class T, class W, class R>
constexpr priced_parameter parameter_of(expert_gemm<M, F, T, W, R>, P const& p, priced_value const& x,
                                        priced_value const& y) {
  return {.experts = owned<experts>(W{}, p, p.shape.experts),
          .out = y.width,
          .in = x.width,
          .full_experts = p.shape.experts,
          .full_out = y.full_width,
          .may_have_bias = true};
}
/// Of a norm over whole rows.
template <class P, class At, class W, class R>
constexpr priced_parameter parameter_of(normalise<At, W, R>, P const&, priced_value const& x, priced_value const&) {
  return {.out = x.width, .full_out = x.width};
}
template <class P, class F, class T, class W>
constexpr priced_parameter parameter_of(embed<F, T, W>, P const& p, priced_value const&, priced_value const& y) {
  return {.out = owned<vocab>(W{}, p, p.shape.vocab), .in = y.width, .full_out = p.shape.vocab};
}

/// What ranks have of an axis: all of them together, this one, and whether each of them has something.
struct priced_share {
  index_t whole = 0, own = 0;
  bool all_have = true;
};
template <class Axis, class Entry>
struct left_of_segment {
  static constexpr index_t of(auto const&, index_t size) { return size; }
};
template <class Axis, class Group, class Partition>
struct left_of_segment<Axis, on<Group, sharded<Axis, Partition>>> {
  static constexpr index_t of(auto const& p, index_t size) {
    return segment_rule_t<Partition>::piece(size, p.template size<Group>(), p.template index<Group>()).size;
  }
};
/// An axis of `full` items that `Entries` cut and `Group` then shares out, segment by segment.
template <class Group, class Axis, class Rule, class P, class... Entries>
constexpr priced_share share_out(sharded<Axis, Rule>, placement<Entries...>, P const& p, index_t full) {
  int const ranks = p.template size<Group>();
  priced_share result;
  for (int r = 0; r < ranks; ++r) {
    index_t part = 0;
    for (int s = 0; s < Rule::segments; ++s) {
      index_t size = Rule::piece(full, 1, 0, s).size;
      ((size = left_of_segment<Axis, Entries>::of(p, size)), ...);
      part += segment_rule_t<Rule>::piece(size, ranks, r).size;
    }
    result.whole += part;
    if (r == p.template index<Group>()) result.own = part;
    result.all_have = result.all_have && part > 0;
  }
  return result;
}

/// Whether an operation adds the bias of its role: one that a linear layer may bring, or one that experts have.
enum class bias_kind { none, of_linear, of_experts };
template <class Operation>
inline constexpr bias_kind adds_bias = bias_kind::none;
template <class At, class W, class R>
inline constexpr bias_kind adds_bias<add_bias<At, W, R>> = bias_kind::of_linear;
template <class M, class At, class W, class R>
inline constexpr bias_kind adds_bias<add_expert_bias<M, At, W, R>> = bias_kind::of_experts;
template <class M, class At, class G, class W, class R>
inline constexpr bias_kind adds_bias<add_weighted_bias<M, At, G, W, R>> = bias_kind::of_experts;
template <class Role, class... Operations>
constexpr bool has_bias_of(type_list<Operations...>, bias_kind kind) {
  return ((std::same_as<typename Operations::role, Role> && adds_bias<Operations> == kind) || ...);
}

/// The pricing of a branch whose parameters are shared out over `Group`.
template <class P, class Group, class Shards, class Branch>
struct pricing_of_shares : P {
  index_t gathered = 0;   ///< bytes that a rank sends to bring the parts together, with what ranks tell each other
  index_t scattered = 0;  ///< to sum the gradients
  index_t whole = 0;      ///< bytes of all parameters of the branch

  template <class Operation>
  constexpr void meet(priced_value const& x, priced_value const& y) {
    using operations = typename parameterised_in<Branch>::type;
    using role = typename Operation::role;
    using state = typename Shards::template state<typename Operation::parameter>;
    priced_parameter const has = parameter_of(Operation{}, *this, x, y);
    if (has.full_out == 0) return;
    constexpr bool by_expert = std::same_as<typename state::axis, experts>;
    auto const share =
        share_out<Group>(state{}, typename Operation::parameter{}, *this, by_expert ? has.full_experts : has.full_out);
    index_t const outer = by_expert ? 1 : has.experts;
    move(share, outer, by_expert ? has.out * has.in : has.in);
    if (!has.may_have_bias) return;
    int const ranks = this->template size<Group>();
    if (!share.all_have) gathered += all_gather_bytes(1, sizeof(index_t), ranks);  // who has a bias?
    if (has_bias_of<role>(operations{}, bias_kind::of_experts) ||
        (this->shape.biases && has_bias_of<role>(operations{}, bias_kind::of_linear)))
      move(share, outer, by_expert ? has.out : 1);
  }

 private:
  constexpr void move(priced_share const& share, index_t outer, index_t inner) {
    index_t const element = this->shape.element_size;
    index_t const all = outer * share.whole * inner;
    index_t const own = outer * share.own * inner;
    gathered += all_gather_bytes(own, element, this->template size<Group>());
    scattered += reduce_scatter_bytes(all, own, sum_size(element));
    whole += all * element;
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
