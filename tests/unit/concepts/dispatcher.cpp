// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/dispatcher.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

namespace {

struct groups_and_homes {
  using group = ep;
  using tensor_group = etp;
  using copies_home = placement<>;
  using weights_home = placement<>;
};
struct own_dispatcher : groups_and_homes {
  static constexpr bool returns_copies = false;
  using bring = sequence<copy<ep>>;
  using order = sequence<>;
  using move = sequence<>;
};
struct without_order : groups_and_homes {
  enum : bool { returns_copies = false };
  using bring = sequence<copy<ep>>;
  using move = sequence<>;
};
struct without_bring : groups_and_homes {
  enum : bool { returns_copies = false };
  using order = sequence<>;
  using move = sequence<copy<ep>>;
};
struct without_homes {
  using group = ep;
  using tensor_group = etp;
  static constexpr bool returns_copies = false;
  using bring = sequence<copy<ep>>;
  using order = sequence<>;
  using move = sequence<>;
};
struct move_has_no_conjugate : own_dispatcher {
  using move = placement<>;
};
struct silent_about_copies : groups_and_homes {
  using bring = sequence<>;
  using order = sequence<>;
  using move = sequence<copy<ep>>;
};

}  // namespace

TEST_CASE("dispatcher: groups, bring, order, move, where copies and weights meet, and whether copies return") {
  static_assert(dispatcher<own_dispatcher>);
  static_assert(!dispatcher<without_order> && !dispatcher<without_bring> && !dispatcher<without_homes>);
  static_assert(!dispatcher<move_has_no_conjugate> && !dispatcher<silent_about_copies> && !dispatcher<int>);
}
