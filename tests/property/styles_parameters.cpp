// SPDX-License-Identifier: Apache-2.0
// How the fifteen styles cut parameters of one, two and three dimensions, and what that leaves each rank.
#include "../support/style_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/kernel/route.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/experts.hpp>

using namespace heddle;
using namespace support;

namespace {

/// Local shapes of all ranks.
template <class Style>
std::vector<shape_t> weights(shape_t const& shape, int ranks) {
  std::vector<shape_t> shapes;
  for (int rank = 0; rank < ranks; ++rank) shapes.push_back(shard_weight<Style>(shape, tp_mesh{ranks}, rank).shape());
  return shapes;
}
template <class Style>
std::vector<shape_t> biases(shape_t const& shape, int ranks) {
  std::vector<shape_t> shapes;
  for (int rank = 0; rank < ranks; ++rank) shapes.push_back(shard_bias<Style>(shape, tp_mesh{ranks}, rank).shape());
  return shapes;
}
using shapes = std::vector<shape_t>;

/// Every element of the whole lies on as many ranks as told: nothing is lost and nothing is doubled.
template <class Style>
void check_cover(shape_t const& shape, int copies_if_whole) {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    std::vector<int> seen(static_cast<std::size_t>(count_of(shape)));
    tensor numbers{shape, {}};
    for (std::size_t i = 0; i < seen.size(); ++i) numbers.data.push_back(static_cast<double>(i));
    for (int rank = 0; rank < ranks; ++rank) {
      for (double const number : cut<double>(numbers, shard_weight<Style>(shape, tp_mesh{ranks}, rank)))
        ++seen[static_cast<std::size_t>(number)];
    }
    int const expected = copies_if_whole == 0 ? ranks : copies_if_whole;
    CHECK(seen == std::vector<int>(seen.size(), expected));
  }
}

}  // namespace

TEST_CASE("out features: -2 of a weight, the only one of a vector, -1 of a bias") {
  CHECK(weights<colwise<tp>>({10, 4}, 4) == shapes{{3, 4}, {3, 4}, {3, 4}, {1, 4}});
  CHECK(weights<colwise<tp>>({10}, 4) == shapes{{3}, {3}, {3}, {1}});
  CHECK(weights<colwise<tp>>({5, 10, 4}, 4) == shapes{{5, 3, 4}, {5, 3, 4}, {5, 3, 4}, {5, 1, 4}});
  CHECK(biases<colwise<tp>>({10}, 4) == shapes{{3}, {3}, {3}, {1}});
  CHECK(biases<colwise<tp>>({5, 10}, 4) == shapes{{5, 3}, {5, 3}, {5, 3}, {5, 1}});
  CHECK(weights<colwise_gather_output<tp>>({10, 4}, 2) == shapes{{5, 4}, {5, 4}});
}

TEST_CASE("in features: -1 of a weight; vectors and biases stay whole") {
  CHECK(weights<rowwise<tp>>({4, 10}, 4) == shapes{{4, 3}, {4, 3}, {4, 3}, {4, 1}});
  CHECK(weights<rowwise<tp>>({5, 4, 10}, 2) == shapes{{5, 4, 5}, {5, 4, 5}});
  CHECK(weights<rowwise<tp>>({10}, 2) == shapes{{10}, {10}});
  CHECK(biases<rowwise<tp>>({10}, 2) == shapes{{10}, {10}});
  CHECK(weights<rowwise_split_input<tp>>({4, 10}, 2) == shapes{{4, 5}, {4, 5}});
}

TEST_CASE("ceil shards end short or empty and never negative") {
  CHECK(weights<colwise<tp>>({16, 1}, 3) == shapes{{6, 1}, {6, 1}, {4, 1}});
  auto const many = weights<colwise<tp>>({16, 1}, 14);
  for (std::size_t rank = 0; rank < many.size(); ++rank) CHECK(many[rank][0] == (rank < 8 ? 2 : 0));
}

TEST_CASE("packed axes are cut segment by segment, weight and bias alike") {
  using style = packed_colwise<tp>;
  tp_mesh const two{2};
  CHECK(shard_weight<style>({10, 4}, two, 0).axes[0] == std::vector<range>{{0, 3}, {5, 3}});
  CHECK(shard_weight<style>({10, 4}, two, 1).axes[0] == std::vector<range>{{3, 2}, {8, 2}});
  CHECK(shard_weight<style>({7, 10, 4}, two, 1).axes[1] == std::vector<range>{{3, 2}, {8, 2}});
  CHECK(shard_bias<style>({10}, two, 1).axes[0] == std::vector<range>{{3, 2}, {8, 2}});
  CHECK(shard_bias<style>({7, 10}, two, 1).axes[1] == std::vector<range>{{3, 2}, {8, 2}});
  CHECK(shard_weight<packed_rowwise<tp>>({4, 10}, two, 1).axes[1] == std::vector<range>{{3, 2}, {8, 2}});
  CHECK(shard_weight<packed_rowwise<tp>>({7, 4, 10}, two, 0).axes[2] == std::vector<range>{{0, 3}, {5, 3}});
  CHECK(biases<packed_rowwise<tp>>({4}, 2) == shapes{{4}, {4}});
  CHECK(weights<packed_colwise<tp, segmented<ceil_chunk, 4, 2, 2>>>({16, 3}, 2) == shapes{{8, 3}, {8, 3}});
  CHECK_THROWS_AS(static_cast<void>(shard_weight<style>({9, 4}, two, 0)), error);
}

TEST_CASE("vocabulary: dimension 0; hidden: the last") {
  CHECK(shard_weight<embedding_rowwise<tp>>({10, 4}, tp_mesh{4}, 3).axes[0] == std::vector<range>{{9, 1}});
  CHECK(weights<embedding_rowwise<tp>>({10, 4}, 4) == shapes{{3, 4}, {3, 4}, {3, 4}, {1, 4}});
  CHECK(weights<embedding_colwise<tp>>({10, 4}, 3) == shapes{{10, 2}, {10, 2}, {10, 0}});
}

TEST_CASE("experts: dimension 0 of weight and bias") {
  CHECK(weights<grouped_gemm<tp>>({5, 6, 4}, 2) == shapes{{3, 6, 4}, {2, 6, 4}});
  CHECK(biases<grouped_gemm<tp>>({5, 6}, 2) == shapes{{3, 6}, {2, 6}});
  CHECK(weights<grouped_gemm<tp>>({2, 6, 4}, 3) == shapes{{1, 6, 4}, {1, 6, 4}, {0, 6, 4}});
}

TEST_CASE("styles of replicated parameters leave them whole") {
  shapes const whole{{6, 4}, {6, 4}};
  CHECK(weights<sequence_parallel<tp>>({6, 4}, 2) == whole);
  CHECK(weights<replicated_with_grad_allreduce<tp>>({6, 4}, 2) == whole);
  CHECK(weights<mla_kv_a_proj<tp>>({6, 4}, 2) == whole);
  CHECK(weights<moe_identity_expert<tp>>({6, 4}, 2) == whole);
  CHECK(weights<ep_router<tp, top_k<kernel::top_k_then_softmax>>>({6, 4}, 2) == whole);
}

TEST_CASE("two cuts of one parameter: experts over ep, features over etp inside") {
  using fc1 = both<grouped_gemm<ep>, packed_colwise<etp>>;
  using fc2 = both<grouped_gemm<ep>, rowwise<etp>>;
  expert_mesh const grid{2, 2, 1};  // etp, ep, edp
  CHECK(shard_weight<fc1>({5, 12, 4}, grid, 0).axes ==
        std::vector<std::vector<range>>{{{0, 3}}, {{0, 3}, {6, 3}}, {{0, 4}}});
  CHECK(shard_weight<fc1>({5, 12, 4}, grid, 3).axes ==
        std::vector<std::vector<range>>{{{3, 2}}, {{3, 3}, {9, 3}}, {{0, 4}}});
  CHECK(shard_weight<fc2>({5, 4, 6}, grid, 3).axes == std::vector<std::vector<range>>{{{3, 2}}, {{0, 4}}, {{3, 3}}});
  CHECK(shard_bias<fc1>({5, 12}, grid, 3).axes == std::vector<std::vector<range>>{{{3, 2}}, {{3, 3}, {9, 3}}});
  CHECK(shard_bias<fc2>({5, 4}, grid, 1).axes == std::vector<std::vector<range>>{{{0, 3}}, {{0, 4}}});
}

TEST_CASE("every element is owned once, or by every rank where the style does not cut") {
  check_cover<colwise<tp>>({10, 6}, 1);
  check_cover<rowwise<tp>>({10, 6}, 1);
  check_cover<packed_colwise<tp>>({14, 5}, 1);
  check_cover<packed_rowwise<tp>>({3, 5, 14}, 1);
  check_cover<embedding_rowwise<tp>>({11, 3}, 1);
  check_cover<embedding_colwise<tp>>({11, 3}, 1);
  check_cover<grouped_gemm<tp>>({5, 4, 3}, 1);
  check_cover<sequence_parallel<tp>>({5}, 0);
  check_cover<mla_kv_a_proj<tp>>({5, 4}, 0);
}

TEST_CASE("a stream of 2-D tensors, one an expert, lands in the merged 3-D parameter where a direct cut would") {
  shape_t const merged{5, 6, 4};
  tensor const whole = distinct(merged, 11);
  using style = both<grouped_gemm<ep>, colwise<etp>>;
  for (int rank = 0; rank < 6; ++rank) {
    expert_mesh const grid{2, 3, 1};
    box const own = shard_weight<style>(merged, grid, rank);
    std::vector<double> streamed;
    for (index_t e = 0; e < merged[0]; ++e) {
      range const mine = own.axes[0][0];
      if (e < mine.begin || e >= mine.end()) continue;  // another rank's expert
      box const piece{{own.axes.begin() + 1, own.axes.end()}};
      CHECK(piece ==
            shard_weight<colwise<etp>>({6, 4}, grid, rank));  // the style of the inner cut, on the 2-D tensor alone
      for (double const value : cut<double>(slice_of(whole, e), piece)) streamed.push_back(value);
    }
    CHECK(streamed == cut<double>(whole, own));
  }
}
