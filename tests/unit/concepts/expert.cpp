// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/expert.hpp>

#include <doctest/doctest.h>
#include <heddle/expert/glu_expert.hpp>

using namespace heddle;

namespace {

struct without_activation {
  template <class, class>
  struct on_groups {
    using first = sequence<>;
    using second = sequence<>;
    using entered = placement<>;
    using left = placement<>;
  };
};
struct no_template {
  using first = sequence<>;
};

}  // namespace

TEST_CASE("expert: three sequences on a pair of groups, and what the gate scale may meet between them") {
  static_assert(expert<glu_expert<>, ep, etp> && expert<glu_expert<sequential>, tp, etp>);
  static_assert(!expert<without_activation, ep, etp> && !expert<no_template, ep, etp> && !expert<int, ep, etp>);
}
