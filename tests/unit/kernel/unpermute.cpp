// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/unpermute.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("unpermute: copies are added in slot order with one rounding, dropped slots left out", T, float,
                   double, bf16, f16) {
  std::vector<std::int32_t> slot_to_row{3, 0, 2, -1, 4, -1, -1, -1, -1, 1, 5, 0};
  for (index_t width : {1, 7, 63, 64, 97, 2880}) {
    auto x = sample::numbers<T>(6 * width, 1);
    auto weights = sample::numbers<float>(12, 2);
    for (bool weighted : {false, true}) {
      for (int lanes : {0, 3}) {
        std::vector<T> y(static_cast<std::size_t>(4 * width), T(9.0F));
        auto const scales = weighted ? sample::slots_of(weights, 4, 3) : slot_view<float>{};
        sample::launch(kernel::unpermute<T>{sample::rows_of(x, 6, width), sample::slots_of(slot_to_row, 4, 3), scales,
                                            sample::rows_of(y, 4, width)},
                       4, lanes);
        for (index_t t = 0; t < 4; ++t) {
          for (index_t h = 0; h < width; ++h) {
            double sum = 0.0;
            double size = 0.0;
            for (index_t s = 0; s < 3; ++s) {
              auto const slot = static_cast<std::size_t>(3 * t + s);
              if (slot_to_row[slot] < 0) continue;
              double const term = (weighted ? static_cast<double>(weights[slot]) : 1.0) *
                                  static_cast<double>(x[static_cast<std::size_t>(slot_to_row[slot] * width + h)]);
              sum += term;
              size += term < 0 ? -term : term;
            }
            auto const got = static_cast<double>(y[static_cast<std::size_t>(t * width + h)]);
            double const magnitude = sum < 0 ? -sum : sum;
            double const off = got < sum ? sum - got : got - sum;
            CHECK(off <= 1.01 * sample::rounding<T> *
                             (magnitude + sample::smallest_normal<T>)+(sizeof(T) == 8 ? 4e-16 : 3e-7) * size);
          }
        }
      }
    }
  }
}

TEST_CASE("unpermute: the order of the sum is the order of the slots") {
  std::vector<float> x{1.0F, 0x1p-24F, 0x1p-24F};
  std::vector<std::int32_t> large_first{0, 1, 2};
  std::vector<std::int32_t> small_first{1, 2, 0};
  std::vector<float> y(1);
  sample::launch(
      kernel::unpermute<float>{
          sample::rows_of(x, 3, 1), sample::slots_of(large_first, 1, 3), {}, sample::rows_of(y, 1, 1)},
      1);
  CHECK(y[0] == 1.0F);
  sample::launch(
      kernel::unpermute<float>{
          sample::rows_of(x, 3, 1), sample::slots_of(small_first, 1, 3), {}, sample::rows_of(y, 1, 1)},
      1);
  CHECK(y[0] == 1.0F + 0x1p-23F);
}
