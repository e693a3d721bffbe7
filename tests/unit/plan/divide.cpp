// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/divide.hpp>
// own header first
#include <doctest/doctest.h>

namespace {

namespace hd = heddle;

constexpr hd::mesh<hd::tp, hd::dp> grid{4, 2};
static_assert(hd::plan_fits<grid, hd::tp, hd::heads<32>, hd::kv_heads<8>>);

TEST_CASE("divide: the error names the numbers and the sizes that fit") {
  CHECK_NOTHROW(hd::check_divides("attention heads", 12, "tp", 4, 8));
  try {
    hd::check_divides("attention heads", 6, "tp", 4, 8);
    FAIL("no error");
  } catch (hd::error const& problem) {
    CHECK(problem.kind() == hd::error_kind::shape);
    CHECK(problem.text() == "6 attention heads do not divide by tp = 4");
    CHECK(problem.hint() == "use tp = 1, 2, 3, 6");
  }
  CHECK_THROWS_AS(hd::check_divides("attention heads", 6, "tp", 0, 8), hd::error);
}

}  // namespace
