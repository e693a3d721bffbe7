// SPDX-License-Identifier: Apache-2.0
// Which reductions the parameter gradients of each style still need, written by hand beside what is derived. Bias
// gradients stand behind the weights'.
#include <doctest/doctest.h>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;

namespace {

using none = placement<>;
template <class... Groups>
using over = placement<on<Groups, partial>...>;
template <class Style, class... Expected>
constexpr bool needs = std::same_as<parameter_gradients_t<typename Style::forward>, type_list<Expected...>>;
/// The same where tokens are dealt over dp and no operation says so.
template <class Style, class... Expected>
constexpr bool needs_dealt =
    std::same_as<parameter_gradients_t<typename Style::forward, placement<on<dp, sharded<tokens, as_given>>>>,
                 type_list<Expected...>>;

using policy = top_k<kernel::softmax_then_top_k<true>>;
template <class Dispatcher, weight_at At = default_weight_at<Dispatcher>>
using moe = expert_parallel<policy, Dispatcher, glu_expert<>, At>;
using given = sharded<tokens, as_given>;

}  // namespace

TEST_CASE("linear styles: a sum only where every rank has the parameter and a part of the tokens") {
  static_assert(needs<colwise<tp>, none, none> && needs<colwise<tp, sharded<tokens>>, none, none>);
  static_assert(needs<colwise_gather_output<tp>, none, none> && needs<rowwise<tp>, none, none>);
  static_assert(needs<rowwise<tp, sharded<tokens>>, none, over<tp>>);  // the bias, on parts of the tokens
  static_assert(needs<rowwise_split_input<tp>, none, none>);
  static_assert(needs<packed_colwise<tp>, none, none> && needs<packed_rowwise<tp>, none, none>);
  static_assert(needs<packed_rowwise<tp, two_segments, sharded<tokens>>, none, over<tp>>);
  static_assert(needs<replicated_linear, none, none>);
}

TEST_CASE("embeddings: every rank has a part of the table and every gradient of its rows") {
  static_assert(needs<embedding_rowwise<tp>, none> && needs<embedding_rowwise<tp, sharded<tokens>>, none>);
  static_assert(needs<embedding_colwise<tp>, none> && needs<embedding_colwise<tp, sharded<hidden>>, none>);
}

TEST_CASE("norms: the weight is on every rank, its rows may not be") {
  static_assert(needs<replicated_norm, none>);
  static_assert(needs<sequence_parallel<tp>, over<tp>>);
  static_assert(needs<replicated_with_grad_allreduce<tp>, over<tp>>);
}

TEST_CASE("mla_kv_a_proj: the rope part's gradient is summed before it meets the weight") {
  static_assert(needs<mla_kv_a_proj<tp>, none, none>);
}

TEST_CASE("module styles of experts: whole on every rank, or cut by expert") {
  static_assert(needs<grouped_gemm<ep>> && needs<both<grouped_gemm<ep>, rowwise<etp>>>);
  static_assert(needs<ep_router<ep, policy>, none, none> && needs<moe_identity_expert<ep>>);
  using body =
      concat_t<sequence<each<sequence<select_local<ep>>>>, expert_stage<glu_expert<>, weight_at::output>::forward,
               sequence<all_reduce<etp>, unselect_local<ep>>>;
  using in_etp = concat_t<sequence<each<sequence<copy<etp>>>>, body>;
  static_assert(needs<moe_tp_experts<ep, in_etp>, none, none>);
}

TEST_CASE("whole mixtures: the gate where tokens are dealt, experts never over their own groups") {
  static_assert(needs<moe<all_to_all_dispatcher<>>, over<ep, etp>, over<ep, etp>, none, none>);
  static_assert(needs<moe<all_to_all_dispatcher<>, weight_at::activation>, over<ep, etp>, over<ep, etp>, none, none>);
  static_assert(needs<moe<all_gather_dispatcher<>>, over<ep, etp>, over<ep, etp>, none, none>);
  static_assert(needs<moe<all_gather_dispatcher<>, weight_at::origin>, over<ep, etp>, over<ep, etp>, none, none>);
  static_assert(needs<moe<masked<>>, none, none, none, none>);
  static_assert(needs<moe<masked<ep, etp, given>>, over<ep, etp>, over<ep, etp>, none, none>);
  using all = over<edp, ep, etp>;
  static_assert(needs<on_expert_grid<moe<all_to_all_dispatcher<>>>, all, all, over<edp>, over<edp>>);
  static_assert(needs<on_expert_grid<moe<all_gather_dispatcher<>>>, all, all, over<edp>, over<edp>>);
}

TEST_CASE("tokens dealt over dp add dp to every dense parameter, cut or not") {
  using data = over<dp>;
  static_assert(needs_dealt<colwise<tp>, data, data> && needs_dealt<rowwise<tp>, data, data>);
  static_assert(needs_dealt<rowwise<tp, sharded<tokens>>, data, over<dp, tp>>);
  static_assert(needs_dealt<sequence_parallel<tp>, over<dp, tp>> && needs_dealt<replicated_norm, data>);
  static_assert(needs_dealt<embedding_rowwise<tp>, data> && needs_dealt<mla_kv_a_proj<tp>, data, data>);
  using block = layer<sequence_parallel<tp>, packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>,
                      rowwise<tp, sharded<tokens>>>;
  static_assert(std::same_as<block::gradients, type_list<over<tp>, none, none, none, over<tp>>>);
  static_assert(needs_dealt<block, over<dp, tp>, data, data, data, over<dp, tp>>);
}
