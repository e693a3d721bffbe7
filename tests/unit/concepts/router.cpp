// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/router.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

namespace {

struct own_router {
  using route = sequence<>;
};
struct routes_nowhere {
  using route = int;
};

}  // namespace

TEST_CASE("router: one sequence from activations to weights") {
  static_assert(router<own_router> && !router<routes_nowhere> && !router<int>);
}
