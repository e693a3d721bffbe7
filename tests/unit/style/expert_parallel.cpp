// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/expert_parallel.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>
#include <string>

using namespace heddle;

namespace {

struct own_selection {};
using policy = top_k<own_selection, 8>;
using given = sharded<tokens, as_given>;
template <class Dispatcher, weight_at At = default_weight_at<Dispatcher>>
using moe = expert_parallel<policy, Dispatcher, glu_expert<>, At>;

template <class Layer>
constexpr bool lawful =
    parallel_style<Layer>&& std::same_as<typename Layer::backward::from, dual_t<typename Layer::forward::to>>&&
        std::same_as<typename Layer::backward::to, dual_t<typename Layer::forward::from>>&&
            std::same_as<conjugate_t<typename Layer::backward>, typename Layer::forward>;
template <class Layer, class Tokens>
constexpr bool keeps =
    lawful<Layer>&& std::same_as<typename Layer::forward::from, placement<on<ep, Tokens>, on<etp, Tokens>>>&&
        std::same_as<typename Layer::forward::to, typename Layer::forward::from>;
/// The gradients of gate, its bias, fc1 and fc2.
template <class Layer, class Gate, class Experts = placement<>>
constexpr bool needs =
    std::same_as<parameter_gradients_t<typename Layer::forward>, type_list<Gate, Gate, Experts, Experts>>;
template <class... Groups>
using summed = placement<on<Groups, partial>...>;

std::string text(std::string_view a, std::string_view b, std::string_view c) {
  return std::string{a}.append(b).append(c);
}

constexpr std::string_view routed_in = "fork{ | gemm add_bias top_k} ";
constexpr std::string_view routed_back = " join{ | top_k_grad bias_grad dgrad}";

/// The three points of a dispatcher whose weights travel with the rows.
template <class Dispatcher>
void check_texts(std::string const& in, std::string const& out) {
  std::string const weights_in = std::string{routed_in} + "each(" + in + ") ";
  std::string const weights_back = " each(" + out + ")" + std::string{routed_back};
  using at_output = moe<Dispatcher, weight_at::output>;
  CHECK(describe<typename at_output::forward>() ==
        text(weights_in, "on_port<0>(grouped_gemm swiglu grouped_gemm) gate_scale ", out));
  CHECK(describe<typename at_output::backward>() ==
        text(in, " gate_scale_grad on_port<0>(grouped_dgrad swiglu_grad grouped_dgrad)", weights_back));
  using at_activation = moe<Dispatcher, weight_at::activation>;
  CHECK(describe<typename at_activation::forward>() ==
        text(weights_in, "on_port<0>(grouped_gemm swiglu) gate_scale grouped_gemm ", out));
  CHECK(describe<typename at_activation::backward>() ==
        text(in, " grouped_dgrad gate_scale_grad on_port<0>(swiglu_grad grouped_dgrad)", weights_back));
  using at_input = moe<Dispatcher, weight_at::input>;
  CHECK(describe<typename at_input::forward>() ==
        text(weights_in, "gate_scale grouped_gemm swiglu grouped_gemm ", out));
  CHECK(describe<typename at_input::backward>() ==
        text(in, " grouped_dgrad swiglu_grad grouped_dgrad gate_scale_grad", weights_back));
}

}  // namespace

TEST_CASE("expert_parallel: all_to_all at its four points") {
  check_texts<all_to_all_dispatcher<>>("permute<ep> all_to_all<ep> all_gather<etp, tokens> sort_chunks<ep>",
                                       "unsort_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep> unpermute<ep>");
  using layer = moe<all_to_all_dispatcher<>>;
  static_assert(std::same_as<layer, moe<all_to_all_dispatcher<>, weight_at::origin>>);
  CHECK(describe<layer::forward>() ==
        "fork{ | gemm add_bias top_k} "
        "on_port<0>(permute<ep> all_to_all<ep> all_gather<etp, tokens> sort_chunks<ep>) "
        "on_port<0>(grouped_gemm swiglu grouped_gemm) "
        "on_port<0>(unsort_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep>) gate_scale unpermute<ep>");
  CHECK(describe<layer::backward>() ==
        "permute<ep> gate_scale_grad "
        "on_port<0>(all_to_all<ep> all_gather<etp, tokens> sort_chunks<ep>) "
        "on_port<0>(grouped_dgrad swiglu_grad grouped_dgrad) "
        "on_port<0>(unsort_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep> unpermute<ep>) "
        "join{ | top_k_grad bias_grad dgrad}");
}

TEST_CASE("expert_parallel: all_gather and masked at their three points") {
  check_texts<all_gather_dispatcher<>>("all_gather<etp, tokens> all_gather<ep, tokens> select<ep>",
                                       "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  check_texts<masked<>>("copy<ep> copy<etp> select<ep>", "unselect<ep> all_reduce<etp> all_reduce<ep>");
  check_texts<masked<ep, etp, sharded<tokens>>>("all_gather<etp, tokens> all_gather<ep, tokens> select<ep>",
                                                "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  static_assert(std::same_as<moe<masked<>>, moe<masked<>, weight_at::output>>);
}

TEST_CASE("expert_parallel: weights at the origin of a dispatcher that sums copies where the experts are") {
  using gathered = moe<all_gather_dispatcher<>, weight_at::origin>;
  CHECK(describe<gathered::forward>() ==
        "fork{ | gemm add_bias top_k} each(all_gather<etp, tokens> all_gather<ep, tokens>) on_port<0>(select<ep>) "
        "on_port<0>(grouped_gemm swiglu grouped_gemm) gate_scale unselect<ep> "
        "reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  CHECK(describe<gathered::backward>() ==
        "all_gather<etp, tokens> all_gather<ep, tokens> select<ep> gate_scale_grad "
        "on_port<0>(grouped_dgrad swiglu_grad grouped_dgrad) on_port<0>(unselect<ep>) "
        "each(reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>) join{ | top_k_grad bias_grad dgrad}");
  static_assert(keeps<gathered, given> && keeps<moe<masked<>, weight_at::origin>, replicated>);
  static_assert(needs<gathered, summed<ep, etp>> && needs<moe<masked<>, weight_at::origin>, summed<>>);
}

TEST_CASE("expert_parallel: the four stages in a row are the layer") {
  using dispatch = all_to_all_dispatcher<>;
  constexpr weight_at at = weight_at::activation;
  static_assert(std::same_as<concat_t<route_stage<policy>::forward, dispatch_stage<dispatch, at>::forward,
                                      expert_stage<glu_expert<>, at>::forward, combine_stage<dispatch, at>::forward>,
                             moe<dispatch, at>::forward>);
  static_assert(lawful<dispatch_stage<dispatch, at>> && lawful<expert_stage<glu_expert<>, at>>);
  static_assert(lawful<combine_stage<dispatch, at>> && lawful<combine_stage<dispatch, weight_at::origin>>);
  static_assert(lawful<route_stage<policy>> && lawful<dispatch_stage<dispatch, weight_at::origin>>);
}

TEST_CASE("expert_parallel: tokens leave as they came, and the law holds, at every point") {
  static_assert(keeps<moe<all_to_all_dispatcher<>, weight_at::input>, given> &&
                keeps<moe<all_to_all_dispatcher<>, weight_at::activation>, given>);
  static_assert(keeps<moe<all_to_all_dispatcher<>, weight_at::output>, given> &&
                keeps<moe<all_to_all_dispatcher<>, weight_at::origin>, given>);
  static_assert(keeps<moe<all_gather_dispatcher<>, weight_at::input>, given> &&
                keeps<moe<all_gather_dispatcher<>, weight_at::activation>, given>);
  static_assert(keeps<moe<all_gather_dispatcher<>, weight_at::output>, given>);
  static_assert(keeps<moe<masked<>, weight_at::input>, replicated> &&
                keeps<moe<masked<>, weight_at::activation>, replicated>);
  static_assert(keeps<moe<masked<>, weight_at::output>, replicated>);
  static_assert(keeps<moe<masked<ep, etp, sharded<tokens>>>, sharded<tokens>>);
}

TEST_CASE(
    "expert_parallel: the gate's gradient is a sum where tokens are sharded, the experts' never over their own "
    "groups") {
  static_assert(needs<moe<all_to_all_dispatcher<>>, summed<ep, etp>> &&
                needs<moe<all_to_all_dispatcher<>, weight_at::input>, summed<ep, etp>>);
  static_assert(needs<moe<all_gather_dispatcher<>>, summed<ep, etp>> && needs<moe<masked<>>, summed<>>);
  static_assert(needs<moe<masked<ep, etp, sharded<tokens>>>, summed<ep, etp>>);
}

TEST_CASE("on_expert_grid: between dense layers that replicate tokens over tp") {
  using layer = on_expert_grid<moe<all_to_all_dispatcher<>>>;
  static_assert(lawful<layer>);
  using outside = placement<on<dp, given>, on<edp, folded>, on<ep, folded>, on<etp, folded>, on<tp, replicated>>;
  static_assert(std::same_as<layer::forward::from, outside> && std::same_as<layer::forward::to, outside>);
  CHECK(describe<layer::forward>() ==
        text("regrid ", describe<moe<all_to_all_dispatcher<>>::forward>(), " regrid_back"));
  CHECK(describe<layer::backward>() ==
        text("regrid ", describe<moe<all_to_all_dispatcher<>>::backward>(), " regrid_back"));
}

TEST_CASE("on_expert_grid: expert gradients are sums over edp alone, the gate's over the whole expert grid") {
  static_assert(needs<on_expert_grid<moe<all_to_all_dispatcher<>>>, summed<edp, ep, etp>, summed<edp>>);
  static_assert(
      needs<on_expert_grid<moe<all_gather_dispatcher<>, weight_at::activation>>, summed<edp, ep, etp>, summed<edp>>);
  static_assert(needs<on_expert_grid<moe<masked<ep, etp, given>>>, summed<edp, ep, etp>, summed<edp>>);
}

TEST_CASE("on_expert_grid: sequence parallelism outside, pipeline stages around") {
  using sharded_outside = on_expert_grid<moe<all_to_all_dispatcher<>>, dense_mesh, expert_mesh, sharded<tokens>>;
  static_assert(lawful<sharded_outside>);
  using block =
      concat_t<sequence<reduce_scatter<tp, tokens>>, sharded_outside::forward, sequence<all_gather<tp, tokens>>>;
  static_assert(
      std::same_as<block::to,
                   placement<on<dp, given>, on<edp, folded>, on<ep, folded>, on<etp, folded>, on<tp, varying>>>);
  using staged = on_expert_grid<moe<all_gather_dispatcher<>>, mesh<tp, cp, dp, pp>, mesh<etp, ep, edp, pp>>;
  static_assert(lawful<staged> && needs<staged, summed<edp, ep, etp>, summed<edp>>);
}

TEST_CASE("expert_parallel: sequential experts, and groups of the user") {
  struct wide : group<"wide", 35> {};
  struct deep : group<"deep", 36> {};
  using layer = expert_parallel<policy, all_to_all_dispatcher<wide, deep>, glu_expert<sequential>, weight_at::output>;
  static_assert(lawful<layer>);
  CHECK(describe<layer::forward>() ==
        "fork{ | gemm add_bias top_k} each(permute<wide> all_to_all<wide> all_gather<deep, tokens> sort_chunks<wide>) "
        "on_port<0>(sequential_gemm swiglu sequential_gemm) gate_scale unsort_chunks<wide> reduce_scatter<deep, "
        "tokens> all_to_all<wide> unpermute<wide>");
}

TEST_CASE("expert_parallel: a shared expert is a branch beside it") {
  using routed_experts = on_expert_grid<moe<all_to_all_dispatcher<>>>;
  using shared_expert = sequence<gemm<placement<>, placement<>, placement<>>>;
  using beside = sequence<fork<routed_experts::forward, shared_expert>, join<sequence<>, sequence<>>>;
  static_assert(std::same_as<beside::to, routed_experts::forward::to>);
  static_assert(std::same_as<conjugate_t<conjugate_t<beside>>, beside>);
  // The dense branch sees the tokens of its dp rank, alike on every rank of tp.
  static_assert(
      std::same_as<parameter_gradients_t<beside>,
                   type_list<summed<edp, ep, etp>, summed<edp, ep, etp>, summed<edp>, summed<edp>, summed<dp>>>);
}
