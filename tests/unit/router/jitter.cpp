// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/jitter.hpp>

#include <doctest/doctest.h>
#include <heddle/router/compose.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("jitter: its own conjugate, in front of the gate") {
  static_assert(obeys_law<jitter> && std::same_as<jitter::conjugate, jitter> && jitter::linear);
  using own = composed_router<jitter, gate>;
  CHECK(describe<own::route>() == "jitter gemm add_bias");
  CHECK(describe<conjugate_t<own::route>>() == "bias_grad dgrad jitter");
}
