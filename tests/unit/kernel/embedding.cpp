// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/embedding.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("embedding: rows of the local range are copied, the others are zero", T, float, double, bf16, f16) {
  std::vector<std::int64_t> ids{0, 3, 4, 6, 7, 99, 4};
  for (index_t width : {1, 7, 97}) {
    auto table = sample::numbers<T>(4 * width, 1);  // vocabulary rows 3 to 6
    std::vector<T> y(static_cast<std::size_t>(7 * width), T(5.0F));
    matrix<T const> const local{table.data(), extents<out_features, in_features>{4, width}};
    for (int lanes : {0, 3}) {
      sample::launch(kernel::embedding<T>{sample::list_of(ids), local, 3, sample::rows_of(y, 7, width)}, 7, lanes);
      for (index_t t = 0; t < 7; ++t) {
        index_t const id = ids[static_cast<std::size_t>(t)];
        for (index_t h = 0; h < width; ++h) {
          T const expected = id >= 3 && id < 7 ? local(id - 3, h) : T(0.0F);
          CHECK(static_cast<double>(y[static_cast<std::size_t>(t * width + h)]) == static_cast<double>(expected));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("embedding: rows of the gradient gather their tokens, ascending", T, float, double, bf16, f16) {
  using sum_type = accumulator_t<T>;
  std::vector<std::int64_t> ids{4, 3, 4, 6, 7, 99, 4, 2, -1, 6};  // 3 to 6 are owned; nobody asks for 5
  auto const count = static_cast<index_t>(ids.size());
  for (index_t width : {0, 1, 32, 70}) {
    auto dy = sample::numbers<T>(count * width, 1);
    auto const start = sample::numbers<sum_type>(4 * width, 2);
    auto expected = start;  // one token after the other: the same bits
    for (index_t t = 0; t < count; ++t) {
      index_t const row = ids[static_cast<std::size_t>(t)] - 3;
      if (row < 0 || row > 3) continue;
      for (index_t h = 0; h < width; ++h) {
        expected[static_cast<std::size_t>(row * width + h)] +=
            static_cast<sum_type>(dy[static_cast<std::size_t>(t * width + h)]);
      }
    }
    for (int lanes : {0, 3}) {
      auto gradient = start;
      kernel::embedding_grad<T> const sum{.ids = sample::list_of(ids),
                                          .dy = sample::rows_of(dy, count, width),
                                          .first = 3,
                                          .gradient = {gradient.data(), extents<out_features, in_features>{4, width}}};
      sample::launch(sum, sum.blocks(), lanes);
      CHECK(gradient == expected);
    }
  }
  std::vector<std::int64_t> none;
  std::vector<T> nothing;
  std::vector<sum_type> gradient(3, sum_type{5});
  kernel::embedding_grad<T> const sum{.ids = sample::list_of(none),
                                      .dy = sample::rows_of(nothing, 0, 3),
                                      .gradient = {gradient.data(), extents<out_features, in_features>{1, 3}}};
  sample::launch(sum, sum.blocks());
  CHECK(gradient == std::vector<sum_type>(3, sum_type{5}));
}
