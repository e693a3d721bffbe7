// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/fsdp.hpp>

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/mesh/grids.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>
#include <heddle/style/shard.hpp>

using namespace heddle;

namespace {

constexpr mesh<tp, dp> grid{2, 3};
template <class Style, std::size_t Rank>
constexpr auto pieces(std::array<std::int64_t, Rank> const& shape, int rank, std::size_t axis = 0) {
  return shard_weight<fsdp<Style, dp>>(shape, grid, rank).axes[axis];
}
template <class Expert>
using layer_with = expert_parallel<top_k<kernel::softmax_then_top_k<true>>, all_to_all_dispatcher<>, Expert,  //
                                   weight_at::origin>;

}  // namespace

TEST_CASE("fsdp: the shard map cuts what the style's own cut leaves") {
  constexpr std::array<std::int64_t, 2> shape{20, 6};
  static_assert(pieces<colwise<tp>>(shape, 3)[0] == range{14, 4});  // tp 1: [10, 20), of which dp 1: 4, 4, 2
  static_assert(pieces<rowwise<tp>>(shape, 5)[0] == range{14, 6});  // 7, 7, 6
  static_assert(pieces<rowwise<tp>>(shape, 5, 1)[0] == range{3, 3});
  static_assert(pieces<packed_colwise<tp>>(shape, 3)[0] == range{7, 2});  // [5, 10): 2, 2, 1
  static_assert(pieces<packed_colwise<tp>>(shape, 3)[1] == range{17, 2});
  static_assert(pieces<embedding_rowwise<tp>>(shape, 5)[0] == range{18, 2});
  static_assert(pieces<embedding_colwise<tp>>(shape, 4)[0] == range{14, 6});
  static_assert(pieces<replicated_norm>(std::array<std::int64_t, 1>{7}, 2)[0] == range{3, 3});
  static_assert(shard_bias<fsdp<rowwise<tp>, dp>>(std::array<std::int64_t, 1>{20}, grid, 5).axes[0][0] == range{14, 6});
  static_assert(shard_bias<fsdp<packed_colwise<tp>, dp>>(std::array<std::int64_t, 1>{20}, grid, 3).axes[0][1] ==
                range{17, 2});
}

TEST_CASE("fsdp: experts by number, or by rows of every one") {
  constexpr folding<> grids{dense_mesh{2, 4}, expert_mesh{2, 2, 2}};
  using fc1 = both<grouped_gemm<ep>, packed_colwise<etp>>;
  constexpr std::array<std::int64_t, 3> shape{6, 16, 5};
  constexpr int rank = 7;  // etp 1, ep 1, edp 1
  constexpr auto by_number = shard_weight<fsdp<fc1, edp, gather_again, by_experts>>(shape, grids, rank);
  static_assert(by_number.axes[0][0] == range{5, 1} && by_number.axes[1][0] == range{4, 4});
  constexpr auto by_row = shard_weight<fsdp<fc1, edp, gather_again, by_rows_of_experts>>(shape, grids, rank);
  static_assert(by_row.axes[0][0] == range{3, 3});
  static_assert(by_row.axes[1][0] == range{6, 2} && by_row.axes[1][1] == range{14, 2});
}

TEST_CASE("fsdp: ranks together own every element once") {
  for (int t : {1, 2, 3}) {
    for (int d : {1, 2, 5}) {
      mesh<tp, dp> const ranks{t, d};
      std::vector<int> seen(18 * 2);
      for (int rank = 0; rank < ranks.world(); ++rank) {
        auto const part = shard_weight<fsdp<packed_colwise<tp>, dp>>(shape_t{18, 2}, ranks, rank);
        for (range const piece : part.axes[0]) {
          for (auto i = piece.begin * 2; i < piece.end() * 2; ++i) ++seen[static_cast<std::size_t>(i)];
        }
      }
      CHECK(seen == std::vector<int>(36, 1));
    }
  }
}

TEST_CASE("fsdp: a style without parameters is itself") {
  using nothing = both<grouped_gemm<ep>, packed_colwise<etp>>;
  static_assert(std::same_as<fsdp<nothing, edp, gather_again, by_experts>::forward, sequence<>>);
}

TEST_CASE("fsdp_expert: one gather for all that happens at the experts, gate scale inside or not") {
  using stage = expert_stage<fsdp_expert<glu_expert<>>, weight_at::output>;
  CHECK(describe<stage::forward>() ==
        "all_gather<edp, parameters> on_port<0>(grouped_gemm swiglu grouped_gemm) gate_scale");
  CHECK(describe<stage::backward>() ==
        "all_gather<edp, parameters> gate_scale_grad on_port<0>(grouped_dgrad swiglu_grad grouped_dgrad) "
        "reduce_scatter<edp, parameters>");
  using kept = expert_stage<fsdp_expert<glu_expert<>, edp, keep_gathered>, weight_at::origin>;
  CHECK(describe<kept::backward>() == "grouped_dgrad swiglu_grad grouped_dgrad reduce_scatter<edp, parameters>");
}

TEST_CASE("fsdp_expert: gradients of experts need no sum any more, the router's does") {
  using whole = on_expert_grid<layer_with<glu_expert<>>>;
  using shared = on_expert_grid<layer_with<fsdp_expert<glu_expert<>>>>;
  using over_edp = placement<on<edp, partial>>;
  using all = parameter_gradients_t<shared::forward>;
  using before = parameter_gradients_t<whole::forward>;
  static_assert(std::same_as<detail::element_t<before, 2>, over_edp>);
  static_assert(std::same_as<detail::element_t<before, 3>, over_edp>);
  static_assert(std::same_as<detail::element_t<all, 2>, placement<>>);
  static_assert(std::same_as<detail::element_t<all, 3>, placement<>>);
  static_assert(std::same_as<detail::element_t<all, 0>, detail::element_t<before, 0>>);
  using everything =
      on_expert_grid<expert_parallel<fsdp_router<top_k<kernel::softmax_then_top_k<true>>, joint<etp, ep, edp>>,
                                     all_to_all_dispatcher<>, fsdp_expert<glu_expert<>>, weight_at::origin>>;
  static_assert(std::same_as<detail::element_t<parameter_gradients_t<everything::forward>, 0>, placement<>>);
}

TEST_CASE("fsdp_expert: on torchtitan's meshes what is left is one sum over replicas (HSDP)") {
  using shared = on_expert_grid<layer_with<fsdp_expert<glu_expert<>>>, torchtitan_dense, torchtitan_experts>;
  using over_replicas = placement<on<replica, sharded<tokens, as_given>>>;
  using all = parameter_gradients_t<shared::forward, over_replicas>;
  using once = placement<on<replica, partial>>;
  static_assert(std::same_as<detail::element_t<all, 2>, once> && std::same_as<detail::element_t<all, 3>, once>);
  static_assert(std::same_as<detail::element_t<all, 0>,
                             placement<on<replica, partial>, on<edp, partial>, on<ep, partial>, on<etp, partial>>>);
  static_assert(std::same_as<typename shared::forward::to, typename shared::forward::from>);
}
