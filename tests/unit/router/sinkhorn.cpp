// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/sinkhorn.hpp>

#include <doctest/doctest.h>
#include <heddle/router/compose.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

struct own_rule {};

}  // namespace

TEST_CASE("sinkhorn: tokens that are dealt out are balanced together") {
  using dealt = placement<on<ep, sharded<tokens, as_given>>>;
  using own = choose<own_rule, 1, sinkhorn<dealt>>;
  using alone = choose<own_rule, 1, sinkhorn<placement<>>>;
  static_assert(obeys_law<own> && obeys_law<own::conjugate> && obeys_law<alone>);
  static_assert(own::communicates && !alone::communicates && std::same_as<own::from, dealt>);
  static_assert(parameter_gradients_t<composed_router<gate, own>::route>::size == 2);
  static_assert(std::same_as<parameter_gradients_t<composed_router<gate, own>::route>,
                             type_list<placement<on<ep, partial>>, placement<on<ep, partial>>>>);
  CHECK(describe<composed_router<gate, own>::route>() == "gemm add_bias sinkhorn");
}
