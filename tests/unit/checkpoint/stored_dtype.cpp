// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/stored_dtype.hpp>

#include <doctest/doctest.h>

using namespace heddle::checkpoint;

static_assert(bits_of(stored_dtype::f4) == 4 && bits_of(stored_dtype::f6_e2m3) == 6 &&
              bits_of(stored_dtype::c64) == 64);
static_assert(name_of(stored_dtype::u64) == "U64" && name_of(stored_dtype::boolean) == "BOOL");
static_assert(*stored_dtype_named("F8_E5M2FNUZ") == stored_dtype::f8_e5m2fnuz);
static_assert(!stored_dtype_named("f32") && !stored_dtype_named("") && !stored_dtype_named("F7"));
static_assert(!readable(stored_dtype::i8) && *readable(stored_dtype::bf16) == heddle::dtype::bf16);

TEST_CASE("stored_dtype: the types the library has are named and sized as it does") {
  int found = 0;
  for (std::size_t i = 0; i < dtype_facts.size(); ++i) {
    auto const type = static_cast<stored_dtype>(i);
    CHECK(stored_dtype_named(name_of(type)) == type);
    if (auto const own = readable(type)) {
      ++found;
      CHECK(heddle::name_of(*own) == name_of(type));
      CHECK(heddle::size_of(*own) * 8 == bits_of(type));
    }
  }
  CHECK(found == 10);
}
