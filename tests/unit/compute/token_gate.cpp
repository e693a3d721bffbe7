// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/token_gate.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

using on_tokens = placement<on<dp, sharded<tokens>>>;

}  // namespace

TEST_CASE("token_gate: lawful on any placement, not linear, keeps what it gave") {
  static_assert(obeys_law<token_gate<>> && obeys_law<token_gate<on_tokens>> && obeys_law<token_gate_grad<on_tokens>>);
  static_assert(!token_gate<>::linear && token_gate_grad<>::linear && token_gate<>::keeps == keep::outputs);
  static_assert(std::same_as<conjugate_t<conjugate_t<token_gate<on_tokens>>>, token_gate<on_tokens>>);
  static_assert(!parameterised<token_gate<>>);
  CHECK(describe<sequence<token_gate<>, conjugate_t<token_gate<>>>>() == "sigmoid sigmoid_grad");
}

TEST_CASE("mask_padding: its own conjugate, linear, keeps nothing") {
  static_assert(obeys_law<mask_padding<>> && obeys_law<mask_padding<on_tokens>> && mask_padding<>::linear);
  static_assert(std::same_as<conjugate_t<mask_padding<>>, mask_padding<>>);
  static_assert(mask_padding<>::keeps == keep::nothing);
  CHECK(describe<mask_padding<>>() == "mask_padding");
}
