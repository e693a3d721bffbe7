// SPDX-License-Identifier: Apache-2.0
// Mistakes of the backward pass. The forward pass of each mutation is right, so only gradients can tell.
#include "../support/moe_backward.hpp"

#include "trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using mutations::check;

namespace {

constexpr split_of split{8, 2, 2, 2};
template <class Style, class Cut = moe_cut, class Reductions = parameter_gradients_t<typename Style::forward>>
outcome try_back(weight_at at = weight_at::origin, split_of const& ranks = split) {
  return back_moe<Style, double, Cut, Reductions>(ranks, make_moe({.tokens = 12, .ffn = 8, .experts = 6}), at);
}
template <class Sequence>
struct style_of {
  static constexpr fixed_string name = "mutation";
  using weight = placement<>;
  using bias = placement<>;
  using forward = Sequence;
  using backward = conjugate_t<forward>;
};
using a2a = all_to_all_dispatcher<>;
template <weight_at At>
using unharmed = moe_layer<a2a, grouped, At>;

// -- reductions

template <class List>
struct reductions;
template <class Gate, class GateBias, class... Experts>
struct reductions<type_list<Gate, GateBias, Experts...>> {
  using gate_left_out = type_list<placement<>, GateBias, Experts...>;
  using gate_over_ep_alone = type_list<placement<on<ep, partial>>, GateBias, Experts...>;
  using experts_left_out = type_list<Gate, GateBias, placement<>, placement<>>;
  using experts_over_ep = type_list<Gate, GateBias, placement<on<edp, partial>, on<ep, partial>>,
                                    placement<on<edp, partial>, on<ep, partial>>>;
};
using of_real = reductions<parameter_gradients_t<unharmed<weight_at::origin>::forward>>;

// -- an operation in the place of another: right on the way there, wrong on the way back

using rows_home = placement<on<ep, bucketed>>;
using weights_home = placement<on<ep, sharded<tokens, as_given>>>;
using at_experts = placement<on<ep, routed>>;

/// Nothing forward, times the size of ep backward: a mean over ep that is taken for a sum.
struct times_ep_back;
struct times_ep : operation_base<"times_ep", at_experts, at_experts, times_ep_back> {};
struct times_ep_back : operation_base<"times_ep_back", at_experts, at_experts, times_ep> {};
template <class Frame, class Value>
Value run(times_ep, Frame&, Value x) {
  return x;
}
template <class Frame, class Element>
auto run(times_ep_back, Frame& frame, activation<Element> dy) {
  auto const y = detail::writable(frame, dy);
  for (index_t i = 0; i < y.data.count(); ++i) y.data.data()[i] *= frame.template communicator<ep>().size();
  return y;
}

/// Goes home right; the gradient leaves with the counts of the way home.
struct unswapped;
struct home_exchange : operation_base<"home_exchange", at_experts, rows_home, unswapped> {};
struct unswapped : operation_base<"unswapped", rows_home, at_experts, home_exchange> {};
template <class Frame, class Element>
auto run(home_exchange, Frame& frame, activation<Element> x) {
  return run(all_to_all_back<ep>{}, frame, x);
}
template <class Frame, class Element>
auto run(unswapped, Frame& frame, activation<Element> dy) {
  return detail::exchange_rows_to<ep>(frame, dy, frame.routing.received, frame.routing.sent);
}

/// Weights go in right; their gradients come back in the slots from behind.
struct from_behind;
struct take_weights : operation_base<"take_weights", weights_home, rows_home, from_behind> {};
struct from_behind : operation_base<"from_behind", rows_home, weights_home, take_weights> {};
template <class Frame, class Value>
auto run(take_weights, Frame& frame, Value x) {
  return run(permute<ep>{}, frame, x);
}
template <class Frame, class Element>
auto run(from_behind, Frame& frame, activation<Element> dy) {
  return run(unpermute<ep>{}, frame, dy);
}
template <class Frame, class Weight>
auto run(from_behind, Frame& frame, row_gates<host_memory, Weight> dy) {
  auto const right = run(unpermute<ep>{}, frame, dy);
  auto const shape = right.weights.shape();
  slot_view<Weight> const wrong{frame.template scratch<Weight>(shape.count()).data(), shape};
  for (index_t t = 0; t < shape[0]; ++t) {
    for (index_t k = 0; k < shape[1]; ++k) wrong(t, k) = right.weights(t, shape[1] - 1 - k);
  }
  return gates<host_memory, Weight>{wrong};
}
struct slots_from_behind : a2a {
  using order = sequence<take_weights>;
};

/// Scales right; on the way back one of the two factors is forgotten.
enum class forgotten { weight_of_rows, gradient_of_weights };
template <forgotten What, class Rows, class Weights>
struct careless_grad;
template <forgotten What, class Rows, class Weights>
struct careless_scale
    : operation_base<"careless_scale", ports<Rows, Weights>, Rows, careless_grad<What, Rows, Weights>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
};
template <forgotten What, class Rows, class Weights>
struct careless_grad : operation_base<"careless_grad", dual_t<Rows>, ports<dual_t<Rows>, dual_t<Weights>>,
                                      careless_scale<What, Rows, Weights>> {};
template <forgotten What, class Rows, class Weights, class Frame, class X, class W>
auto run(careless_scale<What, Rows, Weights>, Frame& frame, X x, W weights) {
  return run(gate_scale<Rows, Weights>{}, frame, x, weights);
}
template <forgotten What, class Rows, class Weights, class Frame, class Saved, class Element>
auto run(careless_grad<What, Rows, Weights>, Frame& frame, Saved const& saved, activation<Element> dy) {
  auto const copy = detail::writable(frame, borrow(dy));
  auto right = run(gate_scale_grad<Rows, Weights>{}, frame, saved, borrow(dy));
  if constexpr (What == forgotten::weight_of_rows) {
    right.first = copy;
  } else {
    using weight = std::remove_const_t<std::remove_pointer_t<decltype(right.second.weights.data())>>;
    auto const none = frame.template scratch<weight>(right.second.weights.count());
    for (weight& value : none) value = 0;
    right.second.weights = {none.data(), right.second.weights.shape()};
  }
  return right;
}

// -- the layer in its parts, with a place for each mistake

using parts = glu_expert<>::on_groups<ep, etp>;
using compute = concat_t<parts::first, parts::activate, parts::second>;
template <class Order, class Experts, class Back, class Scale, class Home>
using at_origin = on_expert_grid<
    style_of<concat_t<sequence<heddle::fork<sequence<>, route_like_mixtral::route>>,
                      sequence<on_port<0, concat_t<Order, a2a::move, Experts, Back>>>, sequence<Scale>, Home>>>;
using scale_home = gate_scale<rows_home, weights_home>;
using out = conjugate_t<a2a::move>;
using home = conjugate_t<a2a::order>;
using in_parts = at_origin<a2a::order, compute, out, scale_home, home>;
using ep_times_too_large = at_origin<a2a::order, concat_t<compute, sequence<times_ep>>, out, scale_home, home>;
using splits_not_swapped =
    at_origin<a2a::order, compute, sequence<unsort_chunks<ep>, reduce_scatter<etp, tokens, as_given>, home_exchange>,
              scale_home, home>;
template <forgotten What>
using forgetful = at_origin<a2a::order, compute, out, careless_scale<What, rows_home, weights_home>, home>;

using slots_wrong =
    on_expert_grid<expert_parallel<route_like_mixtral, slots_from_behind, glu_expert<>, weight_at::activation>>;

}  // namespace

TEST_CASE("mutations of the reductions of parameter gradients") {
  using layer = unharmed<weight_at::origin>;
  check("all_to_all, reductions", try_back<layer>(),
        {{"the gate's gradient not reduced", try_back<layer, moe_cut, of_real::gate_left_out>()},
         {"the gate's gradient reduced over ep alone", try_back<layer, moe_cut, of_real::gate_over_ep_alone>()},
         {"the experts' gradients not reduced over edp", try_back<layer, moe_cut, of_real::experts_left_out>()},
         {"the experts' gradients summed over ep", try_back<layer, moe_cut, of_real::experts_over_ep>()}},
        1e-10);
}

TEST_CASE("mutations of the way back through the experts") {
  check("all_to_all, in parts", try_back<in_parts>(),
        {{"the experts' gradients EP times too large", try_back<ep_times_too_large>()},
         {"splits not swapped in the backward exchange", try_back<splits_not_swapped>()}},
        1e-10);
}

TEST_CASE("mutations of the gradients of routing weights") {
  check("all_to_all, weights at the activation", try_back<unharmed<weight_at::activation>>(weight_at::activation),
        {{"slot order broken", try_back<slots_wrong>(weight_at::activation)}}, 1e-10);
  check("all_to_all, weights at the origin", try_back<in_parts>(),
        {{"probability dropped from the gradient of rows", try_back<forgetful<forgotten::weight_of_rows>>()},
         {"probability dropped: its own gradient left out", try_back<forgetful<forgotten::gradient_of_weights>>()}},
        1e-10);
}

namespace {

using norm = sequence_parallel<tp>;
using cut_heads = replicated_with_grad_allreduce<tp>;
using nothing = type_list<placement<>>;

/// Forward a sum over the ranks; backward each rank takes the gradient of its own part for the whole.
struct partial_only;
struct sum_once : operation_base<"sum_once", placement<on<tp, replicated>>, placement<on<tp, varying>>, partial_only> {
};
struct partial_only
    : operation_base<"partial_only", placement<on<tp, partial>>, placement<on<tp, replicated>>, sum_once> {};
template <class Frame, class Value>
Value run(sum_once, Frame&, Value x) {
  return x;
}
template <class Frame, class Value>
Value run(partial_only, Frame&, Value x) {
  return x;
}
struct colwise_unsummed : colwise<tp> {
  using forward =
      sequence<sum_once, gemm<placement<on<tp, varying>>, placement<on<tp, sharded<hidden>>>, colwise<tp>::weight>,
               add_bias<placement<on<tp, sharded<hidden>>>, colwise<tp>::bias>>;
  using backward = conjugate_t<forward>;
};

}  // namespace

TEST_CASE("mutations of dense gradients") {
  linear_case const c{3, 5, 10, 14};
  check("colwise", back_linear<colwise<tp>>(c, lies::whole, lies::by_features),
        {{"dx not summed over tp", back_linear<colwise_unsummed>(c, lies::whole, lies::by_features)}}, 1e-10);
  check("sequence_parallel", back_norm<norm>({3, 7, 4, 5}, lies::by_tokens, false),
        {{"the weight's gradient not reduced", back_norm<norm, double, nothing>({3, 7, 4, 5}, lies::by_tokens, false)}},
        1e-10);
  check("replicated_with_grad_allreduce", back_norm<cut_heads>({3, 7, 6, 5}, lies::by_features, true),
        {{"the weight's gradient not reduced",
          back_norm<cut_heads, double, nothing>({3, 7, 6, 5}, lies::by_features, true)}},
        1e-10);
  using down = rowwise<tp, sharded<tokens>>;
  using weight_alone = type_list<placement<>, placement<>>;
  check("rowwise to parts of the tokens", back_linear<down>(c, lies::by_features, lies::by_tokens),
        {{"the bias gradient not reduced",
          back_linear<down, double, cut_by<down>, weight_alone>(c, lies::by_features, lies::by_tokens)}},
        1e-10);
}
