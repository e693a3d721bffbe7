// SPDX-License-Identifier: Apache-2.0
#include <heddle/tensor/axis.hpp>

#include <doctest/doctest.h>
#include <type_traits>

namespace {

struct patches : heddle::axis<"patches"> {};

}  // namespace

TEST_CASE("axis: a user's axis is one line and has its name") {
  CHECK(patches::name.view() == "patches");
  CHECK(heddle::tokens::name.view() == "tokens");
  CHECK(heddle::out_features::name.view() == "out_features");
  static_assert(!std::is_same_v<heddle::hidden, heddle::ffn>);
  static_assert(std::is_empty_v<patches>);
}
