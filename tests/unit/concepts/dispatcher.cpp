// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/dispatcher.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

namespace {

struct own_dispatcher {
  using group = ep;
  using tensor_group = etp;
  static constexpr bool returns_copies = false;
  using order = sequence<>;
  using move = sequence<copy<ep>>;
};
struct without_order {
  using group = ep;
  using tensor_group = etp;
  enum : bool { returns_copies = false };
  using move = sequence<copy<ep>>;
};
struct move_has_no_conjugate : own_dispatcher {
  using move = placement<>;
};
struct silent_about_copies {
  using group = ep;
  using tensor_group = etp;
  using order = sequence<>;
  using move = sequence<copy<ep>>;
};

}  // namespace

TEST_CASE("dispatcher: groups, order, move, and whether copies return") {
  static_assert(dispatcher<own_dispatcher>);
  static_assert(!dispatcher<without_order> && !dispatcher<move_has_no_conjugate> && !dispatcher<silent_about_copies> &&
                !dispatcher<int>);
}
