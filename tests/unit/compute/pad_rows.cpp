// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/pad_rows.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("pad_rows and unpad_rows undo each other and move nothing between ranks") {
  using in = pad_rows<ep, aligned<16>>;
  static_assert(obeys_law<in> && obeys_law<unpad_rows<ep, aligned<16>>>);
  static_assert(std::same_as<conjugate_t<in>, unpad_rows<ep, aligned<16>>> && in::linear && !in::communicates);
  static_assert(!std::same_as<in, pad_rows<ep, aligned<32>>>);
  CHECK(describe<sequence<in, conjugate_t<in>>>() == "pad<ep> unpad<ep>");
}
