// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/shard.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
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

}  // namespace
