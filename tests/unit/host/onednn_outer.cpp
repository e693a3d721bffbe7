// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/onednn_outer.hpp>

#include <doctest/doctest.h>

#include "gemm_backward_cases.hpp"

using namespace heddle;

TEST_CASE("onednn_outer: numbers of tokens around the runs of 256, 64 and 16") {
  dnnl::engine const engine{dnnl::engine::kind::cpu, 0};
  host::onednn_outer outer;
  index_t const out = 17;
  index_t const in = 67;
  for (index_t tokens : {1, 15, 16, 17, 63, 64, 65, 79, 81, 255, 256, 257, 321, 337, 600}) {
    // Small integers: every sum is exact.
    auto const whole = [](index_t count, index_t step) {
      std::vector<float> values(static_cast<std::size_t>(count));
      for (index_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(i * step % 31 - 15);
      return values;
    };
    auto const dy = whole(tokens * out, 7);
    auto const x = whole(tokens * in, 11);
    auto dw = whole(out * in, 13);
    auto expected = dw;
    for (index_t t = 0; t < tokens; ++t) {
      for (index_t o = 0; o < out; ++o) {
        for (index_t i = 0; i < in; ++i) {
          expected[static_cast<std::size_t>(o * in + i)] +=
              dy[static_cast<std::size_t>(t * out + o)] * x[static_cast<std::size_t>(t * in + i)];
        }
      }
    }
    index_t const counts[] = {tokens};
    outer.run(engine, dy.data(), counts, x.data(), out, in, dw.data(), 2);
    CAPTURE(tokens);
    CHECK(dw == expected);
  }
}
