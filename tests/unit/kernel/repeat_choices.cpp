// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/repeat_choices.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

TEST_CASE("repeat_choices: a chunk of experts becomes one chunk for each part, short chunks too") {
  // Five experts in chunks of two; two parts: 0 1 | 0 1 | 2 3 | 2 3 | 4 | 4.
  std::vector<std::int32_t> const ids{0, 3, 4, -1, 1, 2};
  std::vector<float> const weights{1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> wide(12, 99);
  std::vector<float> wide_weights(12);
  kernel::repeat_choices<> const repeat{.ids = {ids.data(), {3, 2}},
                                        .weights = {weights.data(), {3, 2}},
                                        .experts = 5,
                                        .each = 2,
                                        .parts = 2,
                                        .wide_ids = {wide.data(), {3, 4}},
                                        .wide_weights = {wide_weights.data(), {3, 4}}};
  for (index_t t = 0; t < 3; ++t) repeat(serial_team{}, t);
  CHECK(wide == std::vector<std::int32_t>{0, 2, 5, 7, 8, 9, -1, -1, 1, 3, 4, 6});
  CHECK(wide_weights == std::vector<float>{1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6});
}

TEST_CASE("repeat_choices: weights alone") {
  std::vector<double> const weights{1, 2};
  std::vector<double> wide(6);
  kernel::repeat_choices<host_memory, double> const repeat{.ids = {},
                                                           .weights = {weights.data(), {1, 2}},
                                                           .parts = 3,
                                                           .wide_ids = {},
                                                           .wide_weights = {wide.data(), {1, 6}}};
  repeat(serial_team{}, 0);
  CHECK(wide == std::vector<double>{1, 1, 1, 2, 2, 2});
}

TEST_CASE("sum_choices: parts in ascending order, in the accumulator, rounded once") {
  std::vector<bf16> const x{bf16{256.0F}, bf16{1.0F}, bf16{1.0F}, bf16{1.0F}, bf16{2.0F}, bf16{3.0F}};
  std::vector<bf16> y(2);
  kernel::sum_choices<host_memory, bf16> const sum{.x = {x.data(), {1, 6}}, .parts = 3, .y = {y.data(), {1, 2}}};
  sum(serial_team{}, 0);
  CHECK(static_cast<float>(y[0]) == 258);  // in bf16 each one alone would be lost
  CHECK(static_cast<float>(y[1]) == 6);
}
