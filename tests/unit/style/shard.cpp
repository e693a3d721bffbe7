// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/shard.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>

namespace {

namespace hd = heddle;
using hd::shape_t;

constexpr hd::mesh<hd::tp> four{4};

TEST_CASE("shard: weights of one, two and three dimensions under each cut") {
  CHECK(hd::shard_weight<hd::colwise<hd::tp>>({10, 6}, four, 3).shape() == shape_t{1, 6});
  CHECK(hd::shard_weight<hd::colwise<hd::tp>>({10}, four, 3).axes[0][0] == hd::range{9, 1});
  CHECK(hd::shard_weight<hd::colwise<hd::tp>>({2, 10, 6}, four, 0).shape() == shape_t{2, 3, 6});
  CHECK(hd::shard_weight<hd::rowwise<hd::tp>>({10, 6}, four, 2).axes[1][0] == hd::range{4, 2});
  CHECK(hd::shard_weight<hd::rowwise<hd::tp>>({10}, four, 2).shape() == shape_t{10});  // a vector has no in features
  CHECK(hd::shard_weight<hd::rowwise<hd::tp>>({2, 10, 6}, four, 3).shape() == shape_t{2, 10, 0});
  CHECK(hd::shard_weight<hd::embedding_rowwise<hd::tp>>({10, 6}, four, 3).axes[0][0] == hd::range{9, 1});
  CHECK(hd::shard_weight<hd::embedding_colwise<hd::tp>>({10, 6}, four, 1).axes[1][0] == hd::range{2, 2});
  CHECK(hd::shard_weight<hd::sequence_parallel<hd::tp>>({10}, four, 1).shape() == shape_t{10});
}

TEST_CASE("shard: packed axes are cut segment by segment, weight and bias alike") {
  hd::mesh<hd::tp> const two{2};
  auto const weight = hd::shard_weight<hd::packed_colwise<hd::tp>>({10, 3}, two, 1);
  CHECK(weight.axes[0] == std::vector<hd::range>{{3, 2}, {8, 2}});
  CHECK(hd::shard_bias<hd::packed_colwise<hd::tp>>({10}, two, 1).axes[0] == weight.axes[0]);
  CHECK(hd::shard_weight<hd::packed_rowwise<hd::tp>>({3, 10}, two, 0).axes[1] ==
        std::vector<hd::range>{{0, 3}, {5, 3}});
  CHECK(hd::shard_bias<hd::packed_rowwise<hd::tp>>({3}, two, 1).shape() == shape_t{3});
}

TEST_CASE("shard: experts over ep and features over etp cut one parameter") {
  using gate_up = hd::both<hd::grouped_gemm<hd::ep>, hd::packed_colwise<hd::etp>>;
  using down = hd::both<hd::grouped_gemm<hd::ep>, hd::rowwise<hd::etp>>;
  hd::folding const grid{hd::dense_mesh{2, 2}, hd::expert_mesh{2, 2, 1}};
  // rank 3 is etp 1, ep 1: experts 3 and 4 of 5, the second part of 7 columns a half
  auto const part = hd::shard_weight<gate_up>({5, 14, 6}, grid, 3);
  CHECK(part.axes[0] == std::vector<hd::range>{{3, 2}});
  CHECK(part.axes[1] == std::vector<hd::range>{{4, 3}, {11, 3}});
  CHECK(hd::shard_weight<down>({5, 6, 7}, grid, 3).axes[2] == std::vector<hd::range>{{4, 3}});
  CHECK(hd::shard_bias<gate_up>({5, 14}, grid, 3).shape() == shape_t{2, 6});
  CHECK(hd::shard_bias<down>({5, 6}, grid, 3).shape() == shape_t{2, 6});
}

TEST_CASE("shard: the parts of all ranks cover a parameter once") {
  using gate_up = hd::both<hd::grouped_gemm<hd::ep>, hd::packed_colwise<hd::etp>>;
  for (int etp : {1, 2, 3}) {
    for (int ep : {1, 2, 4}) {
      hd::expert_mesh const grid{etp, ep, 1};
      std::vector<int> seen(3 * 10);
      for (int rank = 0; rank < grid.world(); ++rank) {
        auto const bias = hd::shard_bias<gate_up>({3, 10}, grid, rank);
        for (auto e : bias.axes[0]) {
          for (auto f : bias.axes[1]) {
            for (auto i = e.begin; i < e.end(); ++i) {
              for (auto j = f.begin; j < f.end(); ++j) ++seen[static_cast<std::size_t>(i * 10 + j)];
            }
          }
        }
      }
      for (int count : seen) CHECK(count == 1);
    }
  }
}

using tp = hd::tp;
using hd::range;
template <class Style, std::size_t Rank>
consteval auto weight(std::array<std::int64_t, Rank> shape, int rank) {
  return hd::shard_weight<Style>(shape, four, rank);
}
template <class Style, std::size_t Rank>
consteval auto bias(std::array<std::int64_t, Rank> shape, int rank) {
  return hd::shard_bias<Style>(shape, four, rank);
}
struct own_selection {};
using router = hd::top_k<own_selection, 2>;
using body = hd::sequence<hd::each<hd::sequence<hd::select_local<tp>>>,
                          hd::gate_scale<hd::placement<hd::on<tp, hd::routed>>>, hd::unselect_local<tp>>;
constexpr std::array<std::int64_t, 2> matrix{10, 6}, square{6, 10};
constexpr std::array<std::int64_t, 1> vector{10};
constexpr std::array<std::int64_t, 3> merged{6, 10, 4};

// The shard map at compile time, all fifteen styles: rank 3 of 4, by hand.
static_assert(weight<hd::colwise<tp>>(matrix, 3).axes[0][0] == range{9, 1});
static_assert(bias<hd::colwise<tp>>(vector, 3).axes[0][0] == range{9, 1});
static_assert(weight<hd::colwise_gather_output<tp>>(matrix, 1).axes[0][0] == range{3, 3});
static_assert(weight<hd::rowwise<tp>>(matrix, 2).axes[1][0] == range{4, 2});
static_assert(weight<hd::rowwise<tp>>(matrix, 3).count() == 0);
static_assert(bias<hd::rowwise<tp>>(vector, 3).axes[0][0] == range{0, 10});
static_assert(weight<hd::rowwise_split_input<tp>>(matrix, 1).axes[1][0] == range{2, 2});
static_assert(weight<hd::packed_colwise<tp>>(matrix, 2).axes[0][0] == range{4, 1});
static_assert(weight<hd::packed_colwise<tp>>(matrix, 2).axes[0][1] == range{9, 1});
static_assert(bias<hd::packed_colwise<tp>>(vector, 0).axes[0][1] == range{5, 2});
static_assert(weight<hd::packed_rowwise<tp>>(square, 2).axes[1][1] == range{9, 1});
static_assert(weight<hd::embedding_rowwise<tp>>(matrix, 3).axes[0][0] == range{9, 1});
static_assert(weight<hd::embedding_colwise<tp>>(matrix, 1).axes[1][0] == range{2, 2});
static_assert(weight<hd::sequence_parallel<tp>>(vector, 2).count() == 10);
static_assert(weight<hd::replicated_with_grad_allreduce<tp>>(vector, 2).count() == 10);
static_assert(weight<hd::mla_kv_a_proj<tp>>(matrix, 2).count() == 60);
static_assert(weight<hd::grouped_gemm<tp>>(merged, 2).axes[0][0] == range{4, 2});
static_assert(weight<hd::grouped_gemm<tp>>(merged, 3).count() == 0);
static_assert(bias<hd::grouped_gemm<tp>>(matrix, 3).axes[0][0] == range{9, 1});
static_assert(weight<hd::ep_router<tp, router>>(matrix, 1).count() == 60);
static_assert(weight<hd::moe_tp_experts<tp, body>>(matrix, 1).count() == 60);
static_assert(weight<hd::moe_identity_expert<tp>>(matrix, 1).count() == 60);

TEST_CASE("shard: the map at compile time equals the one at run time, on every rank of a folding") {
  using gate_up = hd::both<hd::grouped_gemm<hd::ep>, hd::packed_colwise<hd::etp>>;
  using pairs = hd::both<hd::grouped_gemm<hd::ep>, hd::packed_colwise<hd::etp, hd::units<hd::ceil_chunk, 2>>>;
  constexpr hd::folding grid{hd::dense_mesh{2, 4}, hd::expert_mesh{2, 2, 2}};
  constexpr std::array<std::int64_t, 3> shape{5, 14, 6};
  static_assert(hd::shard_weight<gate_up>(shape, grid, 3).count() == 2 * 6 * 6);
  static_assert(hd::shard_bias<gate_up>(std::array<std::int64_t, 2>{5, 14}, grid, 3).axes[1][1] == range{11, 3});
  for (int rank = 0; rank < 8; ++rank) {
    CHECK(hd::shard_weight<gate_up>(shape, grid, rank).dynamic() == hd::shard_weight<gate_up>({5, 14, 6}, grid, rank));
    CHECK(hd::shard_weight<pairs>(shape, grid, rank).dynamic() == hd::shard_weight<pairs>({5, 14, 6}, grid, rank));
  }
}

TEST_CASE("shard: gate and up row by row, and in blocks, are cut between pairs and between blocks") {
  hd::mesh<tp> const three{3};
  auto const rows = [&]<class Partition>(std::int64_t all, int rank) {
    return hd::shard_weight<hd::packed_colwise<tp, Partition>>({all, 2}, three, rank).axes[0];
  };
  // 7 pairs over 3: 3, 3, 1; 4 blocks of 2 gates and 2 ups over 3: 2, 2, 0
  CHECK(rows.operator()<hd::units<hd::ceil_chunk, 2>>(14, 1) == std::vector<range>{{6, 6}});
  CHECK(rows.operator()<hd::units<hd::ceil_chunk, 2>>(14, 2) == std::vector<range>{{12, 2}});
  CHECK(rows.operator()<hd::units<hd::ceil_chunk, 4>>(16, 1) == std::vector<range>{{8, 8}});
  CHECK(rows.operator()<hd::units<hd::ceil_chunk, 4>>(16, 2) == std::vector<range>{{16, 0}});
}

TEST_CASE("shard: a transposed weight is cut on the other of its last two axes") {
  using gate_up = hd::both<hd::grouped_gemm<hd::ep>, hd::packed_colwise<hd::etp>>;
  using down = hd::both<hd::grouped_gemm<hd::ep>, hd::rowwise<hd::etp>>;
  hd::expert_mesh const grid{2, 2, 1};
  constexpr auto in_out = hd::weight_order::in_out;
  for (int rank = 0; rank < 4; ++rank) {
    auto const straight = hd::shard_weight<gate_up>({5, 14, 6}, grid, rank).axes;
    auto const turned = hd::shard_weight<gate_up>({5, 6, 14}, grid, rank, in_out).axes;
    CHECK(turned == std::vector{straight[0], straight[2], straight[1]});
    auto const plain = hd::shard_weight<down>({5, 6, 7}, grid, rank).axes;
    CHECK(hd::shard_weight<down>({5, 7, 6}, grid, rank, in_out).axes == std::vector{plain[0], plain[2], plain[1]});
  }
  static_assert(hd::shard_weight<hd::rowwise<tp>>(std::array<std::int64_t, 2>{10, 6}, four, 3, in_out).axes[0][0] ==
                range{9, 1});
}

TEST_CASE("shard: w and v of a fused FC1 are fragments etp and ETP + etp of twice ETP") {
  static_assert(hd::glu_fragment(24, 4, 1, 1) == range{15, 3});
  for (int size : {1, 2, 3, 4}) {
    std::int64_t const fragment = 24 / (2 * size);
    for (int etp = 0; etp < size; ++etp) {
      CHECK(hd::glu_fragment(24, size, etp, 0) == range{fragment * etp, fragment});
      CHECK(hd::glu_fragment(24, size, etp, 1) == range{fragment * (size + etp), fragment});
      auto const owned = hd::shard_weight<hd::packed_colwise<tp>>({24, 2}, hd::mesh<tp>{size}, etp).axes[0];
      CHECK(owned == std::vector{hd::glu_fragment(24, size, etp, 0), hd::glu_fragment(24, size, etp, 1)});
    }
  }
  CHECK_THROWS_AS((void)hd::glu_fragment(14, 2, 0, 0), hd::error);  // Megatron asks for equal fragments
  CHECK(hd::glu_fragment<hd::ceil_chunk>(14, 2, 1, 1) == range{11, 3});
}

}  // namespace
