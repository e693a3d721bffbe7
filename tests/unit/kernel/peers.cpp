// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/peers.hpp>

#include <doctest/doctest.h>

#include <type_traits>

using namespace heddle;

TEST_CASE("peer_list: bytes that fit into the argument of a launch, beside a table") {
  static_assert(std::is_trivially_copyable_v<kernel::peer_list> && sizeof(kernel::peer_list) <= 2048);
  static_assert(kernel::most_peers >= 72);
  CHECK(kernel::peer_list{}.of[kernel::most_peers - 1] == nullptr);
}
