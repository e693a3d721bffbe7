// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/type_id.hpp>

#include <doctest/doctest.h>

namespace {

struct here {};
namespace inner {
struct here {};
}  // namespace inner
template <class, int>
struct of {};

static_assert(heddle::id_of<int> == heddle::id_of<int>);
static_assert(heddle::id_of<int> != heddle::id_of<int const>);
static_assert(heddle::id_of<here> != heddle::id_of<inner::here>);
static_assert(heddle::id_of<of<here, 1>> != heddle::id_of<of<here, 2>>);
static_assert(heddle::id_of<of<here, 1>> != heddle::id_of<of<inner::here, 1>>);
static_assert(heddle::id_of<void> != heddle::type_id::none);

TEST_CASE("type_id: the same number at run time") { CHECK(heddle::id_of<here> == heddle::id_of<here>); }

}  // namespace
