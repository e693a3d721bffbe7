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
