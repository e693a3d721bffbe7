// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/philox.hpp>

#include <doctest/doctest.h>
#include <initializer_list>

using namespace heddle;

// The known answers of the Random123 distribution for philox4x32 with 10 rounds.
static_assert(philox4x32({}, 0) == philox_block{{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}});
static_assert(philox4x32({{0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU}}, 0xffffffffffffffffU) ==
              philox_block{{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}});
static_assert(philox4x32({{0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}}, 0x299f31d0a4093822U) ==
              philox_block{{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}});

TEST_CASE("philox: an element's number depends on seed, stream and index alone") {
  philox const numbers{7, 3};
  for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 40}) {
    CHECK(numbers.bits(index) == philox(7, 3).bits(index));
    CHECK(numbers.bits(index) != philox(8, 3).bits(index));
    CHECK(numbers.bits(index) != philox(7, 4).bits(index));
    CHECK(numbers.bits(index) != numbers.bits(index + 1));
  }
  CHECK(numbers.bits(5) == philox4x32({{1, 0, 3, 0}}, 7).word[1]);
  CHECK(philox(7, std::uint64_t{1} << 32).bits(0) != philox(7, 0).bits(0));
  CHECK(numbers.bits(std::uint64_t{1} << 34) != numbers.bits(0));
}

TEST_CASE("philox: uniform numbers fill their interval evenly") {
  philox const numbers{1, 2};
  double sum = 0.0;
  int quarters[4] = {};
  for (std::uint64_t i = 0; i < 40000; ++i) {
    float const value = numbers.uniform(i);
    CHECK_UNARY(value >= 0.0F && value < 1.0F);
    ++quarters[static_cast<int>(value * 4.0F)];
    sum += static_cast<double>(numbers.uniform(i, -2.0F, 4.0F));
  }
  CHECK(sum / 40000 == doctest::Approx(1.0).epsilon(0.03));
  for (int quarter : quarters) CHECK(quarter == doctest::Approx(10000).epsilon(0.05));
}
