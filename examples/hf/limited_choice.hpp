// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3's router: a bias of experts has a part in the choice but not in the weights, and a token chooses from the
// best groups of experts. An operation of this program's own, in the place of the library's.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/layer/value.hpp>
#include <heddle/sequence/sequence.hpp>

namespace hf {

/// What a mixture-of-experts layer has besides its matrices.
template <class T>
struct moe_weights : heddle::moe_weights<T> {
  heddle::vector_view<float const> choice_bias{};  ///< [experts], or empty
  heddle::kernel::group_limit limit{};
};

template <class Rule>
struct choose_limited_grad;

/// Logits [tokens, experts] -> weights [tokens, slots], with the bias and the groups of the layer.
template <class Rule>
struct choose_limited
    : heddle::operation_base<"top_k", heddle::placement<>, heddle::placement<>, choose_limited_grad<Rule>> {
  static constexpr bool linear = false;
};
template <class Rule>
struct choose_limited_grad
    : heddle::operation_base<"top_k_grad", heddle::placement<>, heddle::placement<>, choose_limited<Rule>> {};

template <class Rule>
struct limited_top_k {
  using at = heddle::placement<>;
  using route = heddle::sequence<heddle::gemm<at, at, at, heddle::gate_role>,
                                 heddle::add_bias<at, at, heddle::gate_role>, choose_limited<Rule>>;
};

template <class Rule, class Frame, class Real, class Memory>
auto run(choose_limited<Rule>, Frame& frame, heddle::activation<Real, Memory> logits) {
  using weight = std::remove_const_t<Real>;
  auto const& weights = frame.weights();
  heddle::extents<heddle::tokens, heddle::slots> const shape{logits.data.template size<heddle::tokens>(),
                                                             weights.top_k};
  heddle::slot_view<std::int32_t, Memory> const ids{frame.template scratch<std::int32_t>(shape.count()).data(), shape};
  heddle::slot_view<weight, Memory> const shares{frame.template scratch<weight>(shape.count()).data(), shape};
  heddle::kernel::route<Rule, weight, Memory, weight> const route{.logits = logits.data,
                                                                  .ids = ids,
                                                                  .weights = shares,
                                                                  .factor = weights.route_scale,
                                                                  .bias = weights.choice_bias,
                                                                  .limit = weights.limit};
  route.check();
  frame.launch(route, shape[0]);
  frame.routing.begin(ids, logits.data.row_size());
  return heddle::gates<Memory, weight>{shares, frame.routing.ids};
}

}  // namespace hf
