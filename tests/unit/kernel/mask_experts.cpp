// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/mask_experts.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("mask_experts: the choices of others become -1 with weight 0, in their places") {
  std::vector<std::int32_t> const ids{0, 3, 2, -1, 5, 4};
  std::vector<float> const weights{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F};
  extents<tokens, slots> const shape{3, 2};
  for (int lanes : {0, 3}) {
    std::vector<std::int32_t> masked_ids(6, 7);
    std::vector<float> masked(6, 7.0F);
    sample::launch(kernel::mask_experts<>{.ids = {ids.data(), shape},
                                          .weights = {weights.data(), shape},
                                          .first = 2,
                                          .count = 2,
                                          .masked_ids = {masked_ids.data(), shape},
                                          .masked_weights = {masked.data(), shape}},
                   3, lanes);
    CHECK(masked_ids == std::vector<std::int32_t>{-1, 3, 2, -1, -1, -1});
    CHECK(masked == std::vector<float>{0, 0.2F, 0.3F, 0, 0, 0});
  }
}

TEST_CASE("mask_experts: a rank without experts keeps nothing") {
  std::vector<std::int32_t> const ids{0, 1};
  std::vector<float> const weights{1, 2};
  std::vector<std::int32_t> masked_ids(2, 7);
  std::vector<float> masked(2, 7.0F);
  extents<tokens, slots> const shape{1, 2};
  sample::launch(kernel::mask_experts<>{.ids = {ids.data(), shape},
                                        .weights = {weights.data(), shape},
                                        .first = 2,
                                        .count = 0,
                                        .masked_ids = {masked_ids.data(), shape},
                                        .masked_weights = {masked.data(), shape}},
                 1, 0);
  CHECK(masked_ids == std::vector<std::int32_t>{-1, -1});
  CHECK(masked == std::vector<float>{0, 0});
}
