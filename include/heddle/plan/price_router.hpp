// SPDX-License-Identifier: Apache-2.0
// What the parts of a router cost besides its gate and its choice.
#pragma once

#include <heddle/plan/price_compute.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/gate_in.hpp>
#include <heddle/router/jitter.hpp>
#include <heddle/router/losses.hpp>
#include <heddle/router/sinkhorn.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class P>
constexpr detail::priced_value price(jitter, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}
template <class P, class Real>
constexpr detail::priced_value price(wide_gemm<Real>, P& p, detail::priced_value x) {
  p.report.flops += 2 * x.rows * x.width * p.shape.experts;
  if (x.element_size != sizeof(Real)) {  // tokens and matrix are copied
    p.keep({.rows = x.rows + p.shape.experts, .width = x.width, .element_size = sizeof(Real)});
  }
  x = {.rows = x.rows, .width = p.shape.experts, .full_width = p.shape.experts, .element_size = sizeof(Real)};
  p.keep(x);
  return x;
}
template <class P, class Real>
constexpr detail::priced_value price(wide_dgrad<Real>, P& p, detail::priced_value x) {
  p.report.flops += 4 * x.rows * x.width * p.before.width;
  p.keep(p.before);
  return p.before;
}
/// Throws `argument` where rows are padded to a capacity that the shape does not have.
template <class P, drop_by By, expert_room Rows>
constexpr detail::priced_value price(drop<By, Rows>, P& p, detail::priced_value x) {
  if constexpr (Rows == expert_room::to_capacity) {
    if (p.shape.capacity < 1) {
      throw error(error_kind::argument, "rows that are padded to an unknown capacity have no price",
                  "set capacity of the layer_shape to kernel::expert_capacity of a rank's tokens");
    }
    p.capacity = p.shape.capacity;
  }
  p.keep(x);
  return x;
}
template <class P, drop_by By, expert_room Rows>
constexpr detail::priced_value price(drop_grad<By, Rows>, P& p, detail::priced_value x) {
  p.keep(x);
  return x;
}

/// A message for the number of tokens, and one in each of the shape's `sinkhorn_rounds`: the data say when a scaling
/// ends, the caller how often. Throws `argument` where ranks would speak and the shape has no rounds.
template <class P, class S, int K, class... Groups, class... States>
constexpr detail::priced_value price(choose<S, K, sinkhorn<placement<on<Groups, States>...>>> operation, P& p,
                                     detail::priced_value x) {
  if (p.shape.sinkhorn_rounds < 1 && ((p.template size<Groups>() > 1) || ...)) {
    throw error(error_kind::argument, "nobody knows before the step how often a Sinkhorn scaling sends its sums",
                "set sinkhorn_rounds of the layer_shape to what a step has taken, or to the most it may take");
  }
  auto const sum = [&]<class Group>(std::type_identity<Group>) {
    int const ranks = p.template size<Group>();
    int const rank = p.template index<Group>();
    p.template send<decltype(operation), Group>(all_reduce_bytes(1, sizeof(index_t), ranks, rank) +
                                                p.shape.sinkhorn_rounds *
                                                    all_reduce_bytes(p.shape.experts, sizeof(double), ranks, rank));
  };
  (sum(std::type_identity<Groups>{}), ...);
  p.keep({.rows = p.shape.experts + x.rows, .width = 1, .element_size = x.element_size});  // scales
  p.keep({.rows = p.shape.experts, .width = 1, .element_size = sizeof(double)});
  return price(choose<S, K>{}, p, x);
}

namespace detail {

/// Tokens of all ranks of some groups; ranks are taken to bring equally many.
template <class... Groups, class P>
constexpr index_t rows_over(P const& p, index_t rows) {
  return (rows * ... * static_cast<index_t>(p.template size<Groups>()));
}

template <class Term>
struct priced_term;
template <>
struct priced_term<z_loss> {
  template <class... Groups, class Operation, class P>
  static constexpr index_t sums(Operation, P& p, priced_value const& x) {
    p.keep({.rows = x.rows, .width = 1, .element_size = x.element_size});
    return 2;
  }
};
template <class Score, balance_scale Scale, balance_over Over, int TopK>
struct priced_term<aux_loss<Score, Scale, Over, TopK>> {
  template <class... Groups, class Operation, class P>
  static constexpr index_t sums(Operation, P& p, priced_value const& x) {
    p.keep(x);  // probabilities
    index_t const columns = kernel::balance_columns(p.shape.experts);
    if constexpr (Over == balance_over::sequences) {
      if (p.shape.sequence_length < 1) {
        throw error(error_kind::argument, "a balance over sequences of unknown length has no price",
                    "set sequence_length of the layer_shape");
      }
      (p.template send<Operation, Groups>(
           all_reduce_bytes(1, sizeof(index_t), p.template size<Groups>(), p.template index<Groups>())),
       ...);
      return rows_over<Groups...>(p, x.rows) / p.shape.sequence_length * columns;
    } else {
      return columns;
    }
  }
};

}  // namespace detail

/// Of losses whose coefficients are not 0.
template <class P, class... Groups, class... States, class... Terms>
constexpr detail::priced_value price(losses<placement<on<Groups, States>...>, Terms...> operation, P& p,
                                     detail::priced_value x) {
  index_t sums = 0;
  ((sums += detail::priced_term<Terms>::template sums<Groups...>(operation, p, x)), ...);
  p.keep({.rows = 1, .width = sums, .element_size = sizeof(double)});
  (p.template send<decltype(operation), Groups>(
       all_reduce_bytes(sums, sizeof(double), p.template size<Groups>(), p.template index<Groups>())),
   ...);
  return x;
}

/// Gradients are added to those of the logits, and nobody is asked.
template <class P, class Tokens, class... Terms>
constexpr detail::priced_value price(losses_grad<Tokens, Terms...>, P&, detail::priced_value x) {
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
