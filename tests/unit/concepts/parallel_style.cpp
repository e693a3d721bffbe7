// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/parallel_style.hpp>

#include <doctest/doctest.h>
#include <heddle/style/linear.hpp>

using namespace heddle;

namespace {

struct own_style {
  static constexpr fixed_string name = "own";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<>;
};
struct nameless {
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<>;
};
struct forward_is_no_sequence : own_style {
  using forward = placement<>;
};

}  // namespace

TEST_CASE("parallel_style: a name, two placements and a forward sequence, no base class") {
  static_assert(parallel_style<own_style> && parallel_style<colwise<tp>> && parallel_style<replicated_linear>);
  static_assert(!parallel_style<nameless> && !parallel_style<forward_is_no_sequence> && !parallel_style<int>);
  CHECK(own_style::name.view() == "own");
}
