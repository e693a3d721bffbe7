// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/losses.hpp>

#include <doctest/doctest.h>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

struct own_rule {};
using balance = aux_loss<own_rule>;
using all = losses<dealt_over<ep, edp>, balance, z_loss>;
using alone = losses<dealt_over<>, z_loss>;
using own = composed_router<gate, all, choose<own_rule, 2>>;

}  // namespace

TEST_CASE(
    "losses: logits pass through where tokens are dealt out; the forward pass speaks, the backward pass does not") {
  static_assert(obeys_law<all> && obeys_law<all::conjugate> && obeys_law<alone> && obeys_law<alone::conjugate>);
  static_assert(all::communicates && !all::conjugate::communicates && !alone::communicates && !all::linear);
  CHECK(describe<own::route>() == "gemm add_bias losses<ep, edp> top_k");
  CHECK(describe<conjugate_t<own::route>>() == "top_k_grad losses_grad<ep, edp> bias_grad dgrad");
}

TEST_CASE("losses: gradients of the router's parameters are sums over the groups, as without losses") {
  using sums = placement<on<edp, partial>, on<ep, partial>>;
  static_assert(std::same_as<parameter_gradients_t<own::route>, type_list<sums, sums>>);
  using without = composed_router<gate, choose<own_rule, 2>>;
  using dealt = placement<on<edp, sharded<tokens, as_given>>, on<ep, sharded<tokens, as_given>>>;
  static_assert(std::same_as<parameter_gradients_t<without::route, dealt>, parameter_gradients_t<own::route, dealt>>);
  static_assert(
      std::same_as<parameter_gradients_t<composed_router<gate, alone>::route>, type_list<placement<>, placement<>>>);
}
