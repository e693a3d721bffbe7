// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/take_gates.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("take_gates: each row gets the weight of its token and slot") {
  std::vector<float> const weights{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F};  // three tokens, two slots
  std::vector<std::int32_t> const row_to_token{2, 0, 1, 0}, row_to_slot{1, 0, 0, 1};
  for (int lanes : {0, 3}) {
    std::vector<float> y(4);
    sample::launch(kernel::take_gates<>{.weights = {weights.data(), extents<tokens, slots>{3, 2}},
                                        .row_to_token = {row_to_token.data(), extents<tokens>{4}},
                                        .row_to_slot = {row_to_slot.data(), extents<tokens>{4}},
                                        .y = {y.data(), extents<tokens>{4}}},
                   4, lanes);
    CHECK(y == std::vector<float>{0.6F, 0.1F, 0.3F, 0.2F});
  }
}

TEST_CASE("take_gates: a row of nobody has the weight zero") {
  std::vector<double> const weights{0.1, 0.2};
  std::vector<std::int32_t> const row_to_token{-1, 0}, row_to_slot{-1, 1};
  std::vector<double> y(2, 9.0);
  sample::launch(kernel::take_gates<host_memory, double>{.weights = {weights.data(), extents<tokens, slots>{1, 2}},
                                                         .row_to_token = {row_to_token.data(), extents<tokens>{2}},
                                                         .row_to_slot = {row_to_slot.data(), extents<tokens>{2}},
                                                         .y = {y.data(), extents<tokens>{2}}},
                 2);
  CHECK(y == std::vector<double>{0, 0.2});
}
