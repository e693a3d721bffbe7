// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/pack_panel.hpp>

#include <doctest/doctest.h>
#include <vector>

#include "gemm_cases.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("pack_panel: the panel is the transpose, widened, with zero columns behind", T, float, bf16, f16) {
  for (index_t columns : {0, 1, 15, 16, 17, 63, 64}) {
    for (index_t k : {1, 15, 16, 31, 32, 33, 100}) {
      auto const w = gemm_cases::numbers<T>(columns * k, 1);
      std::vector<float> panel(static_cast<std::size_t>(k * host::panel_columns), 9.0F);
      host::pack_panel(w.data(), columns, k, panel.data());
      int wrong = 0;
      for (index_t i = 0; i < k; ++i) {
        for (index_t c = 0; c < host::panel_columns; ++c) {
          float const expected = c < columns ? static_cast<float>(w[static_cast<std::size_t>(c * k + i)]) : 0.0F;
          wrong += panel[static_cast<std::size_t>(i * host::panel_columns + c)] == expected ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE_TEMPLATE("copy_panel: the panel is a part of the lines, widened, with zero columns behind", T, float, bf16,
                   f16) {
  for (index_t columns : {0, 1, 15, 63, 64}) {
    for (index_t k : {0, 1, 5}) {
      index_t const stride = columns + 3;
      auto const w = gemm_cases::numbers<T>(k * stride, 1);
      std::vector<float> panel(static_cast<std::size_t>((k + 1) * host::panel_columns), 9.0F);
      host::copy_panel(w.data() + 2, stride, columns, k, panel.data());
      int wrong = 0;
      for (index_t i = 0; i <= k; ++i) {
        for (index_t c = 0; c < host::panel_columns; ++c) {
          float expected =
              c < columns && i < k ? static_cast<float>(w[static_cast<std::size_t>(i * stride + 2 + c)]) : 0.0F;
          if (i == k) expected = 9.0F;
          wrong += panel[static_cast<std::size_t>(i * host::panel_columns + c)] == expected ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
  }
}
