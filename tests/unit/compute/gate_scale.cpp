// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/gate_scale.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("gate_scale: rows and weights in, both gradients out: the router's is inside the law") {
  using rows_at = placement<on<ep, routed>, on<etp, partial>>;
  using weights_at = placement<on<ep, routed>, on<etp, varying>>;
  using scale = gate_scale<rows_at, weights_at>;
  static_assert(obeys_law<scale> && obeys_law<conjugate_t<scale>> && obeys_law<gate_scale<>>);
  static_assert(!scale::linear && conjugate_t<scale>::linear);
  static_assert(std::same_as<scale::to, rows_at>);
  // The same weight on every rank of etp collects a different gradient on each.
  static_assert(
      std::same_as<conjugate_t<scale>::to,
                   ports<placement<on<ep, routed>, on<etp, varying>>, placement<on<ep, routed>, on<etp, partial>>>>);
  static_assert(std::same_as<gate_scale<rows_at>, gate_scale<rows_at, rows_at>>);
  CHECK(describe<sequence<scale, conjugate_t<scale>>>() == "gate_scale gate_scale_grad");
}

TEST_CASE("gate_scale_keep: weights go on, and what they collect further on is added") {
  using rows = placement<on<ep, routed>, on<etp, sharded<hidden>>>;
  using weights = placement<on<ep, routed>, on<etp, varying>>;
  using op = gate_scale_keep<rows, weights>;
  static_assert(obeys_law<op> && obeys_law<conjugate_t<op>> && !op::linear && op::keeps == keep::inputs);
  static_assert(std::same_as<op::to, ports<rows, weights>>);
  CHECK(describe<op>() == "gate_scale");
}
