// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/compose.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/router.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

struct own_rule {};

}  // namespace

TEST_CASE("composed_router: operations and sequences in a row, and back") {
  using own = composed_router<gate, choose<own_rule, 2>, drop<drop_by::probability>>;
  static_assert(router<own>);
  CHECK(describe<own::route>() == "gemm add_bias top_k drop");
  CHECK(describe<conjugate_t<own::route>>() == "drop_grad top_k_grad bias_grad dgrad");
  static_assert(std::same_as<composed_router<gate, choose<own_rule, 2>>::route, top_k<own_rule, 2>::route>);
}
