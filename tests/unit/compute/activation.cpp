// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/activation.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

using packed = placement<on<tp, sharded<hidden, segmented<ceil_chunk, 1, 1>>>>;
using plain = placement<on<tp, sharded<hidden>>>;
struct mine {
  static constexpr fixed_string glu_name = "my_glu";
  static constexpr fixed_string glu_grad_name = "my_glu_grad";
};

}  // namespace

TEST_CASE("glu: lawful on any placement, not linear, its gradient linear") {
  static_assert(obeys_law<glu<silu>> && obeys_law<glu<silu, packed, plain>> &&
                obeys_law<glu_grad<silu, packed, plain>>);
  static_assert(!glu<silu>::linear && glu_grad<silu>::linear && !parameterised<glu<silu>>);
  static_assert(std::same_as<glu_grad<silu, packed, plain>::from, plain> &&
                std::same_as<glu_grad<silu, packed, plain>::to, packed>);
}

TEST_CASE("glu: a user's activation names itself") {
  CHECK(describe<glu<silu, packed, plain>>() == "swiglu");
  CHECK(describe<glu<mine>>() == "my_glu");
  CHECK(describe<conjugate_t<glu<mine>>>() == "my_glu_grad");
  static_assert(obeys_law<glu<mine, packed, plain>>);
}

TEST_CASE("glu: a layout is part of the type, forward and back") {
  using pairs = placement<on<tp, sharded<hidden, interleaved::packed>>>;
  using op = glu<gpt_oss, pairs, plain, interleaved>;
  static_assert(obeys_law<op> && std::same_as<op::conjugate, glu_grad<gpt_oss, pairs, plain, interleaved>>);
  static_assert(!std::same_as<op, glu<gpt_oss, pairs, plain>>);
  CHECK(describe<op>() == "gpt_oss");
}

TEST_CASE("every activation of the peers has its names") {
  CHECK(describe<sequence<glu<silu>, glu<gelu>, glu<quick_gelu>, glu<relu>, glu<gpt_oss>, glu<clamped_silu<7>>>>() ==
        "swiglu geglu quick_geglu reglu gpt_oss clamped_swiglu");
  CHECK(describe<sequence<activate<squared_relu>, activate<relu>, activate<gelu>, activate<silu>>>() ==
        "squared_relu relu gelu silu");
}

TEST_CASE("activate: lawful, not linear, keeps its input") {
  static_assert(obeys_law<activate<relu>> && obeys_law<activate<gelu, plain>> && !activate<relu>::linear);
  static_assert(activate<relu>::keeps == keep::inputs && activate_grad<relu>::linear);
  CHECK(describe<conjugate_t<activate<squared_relu>>>() == "squared_relu_grad");
}
