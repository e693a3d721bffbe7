// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/scratch.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <utility>

using heddle::host::scratch;

TEST_CASE("scratch: grows, never shrinks, starts on a cache line") {
  scratch memory;
  memory.reserve(0);
  CHECK(memory.size() == 0);
  memory.reserve(100);
  float* const first = memory.as<float>();
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  memory.reserve(50);
  CHECK(memory.as<float>() == first);
  CHECK(memory.size() == 100);
  CHECK(memory.as<float>(64) == first + 16);
  scratch const moved = std::move(memory);
  CHECK(moved.as<float>() == first);
}
