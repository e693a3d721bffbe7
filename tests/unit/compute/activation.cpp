// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/activation.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

using packed = placement<on<tp, sharded<hidden, segmented<ceil_chunk, 1, 1>>>>;
using plain = placement<on<tp, sharded<hidden>>>;
struct gelu {
  static constexpr fixed_string glu_name = "geglu";
  static constexpr fixed_string glu_grad_name = "geglu_grad";
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
  CHECK(describe<glu<gelu>>() == "geglu");
  CHECK(describe<conjugate_t<glu<gelu>>>() == "geglu_grad");
  static_assert(obeys_law<glu<gelu, packed, plain>>);
}
