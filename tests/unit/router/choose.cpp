// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/choose.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct own_rule {};
struct own_choice : best_experts {
  static constexpr fixed_string name = "own_choice";
  using at = placement<on<ep, sharded<tokens, as_given>>>;
  static constexpr bool communicates = true;
};

}  // namespace

TEST_CASE("choose: one gradient for every choice") {
  using best = choose<own_rule, 8>;
  static_assert(obeys_law<best> && obeys_law<best::conjugate> && !best::linear && best::keeps == keep::both);
  static_assert(best::top_k == 8 && std::same_as<best::rule, own_rule> && !best::communicates);
  CHECK(best::name.view() == "top_k");
  CHECK(best::conjugate::name.view() == "top_k_grad");
}

TEST_CASE("choose: a choice may speak, and ask for tokens that are dealt out") {
  using own = choose<own_rule, 2, own_choice>;
  static_assert(obeys_law<own> && obeys_law<own::conjugate> && own::communicates && !own::conjugate::communicates);
  static_assert(std::same_as<own::from, own_choice::at> && std::same_as<own::conjugate::to, own_choice::at>);
  static_assert(own_choice::slots_of(2, 7) == 2);
  CHECK(own::name.view() == "own_choice");
}
