// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/workspace.hpp>

#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>

using heddle::host::workspace;

TEST_CASE("memory is aligned, apart, and counted in units of the alignment") {
  workspace scratch;
  auto* const a = static_cast<std::byte*>(scratch.allocate(1));
  auto* const b = static_cast<std::byte*>(scratch.allocate(65));
  auto* const c = static_cast<std::byte*>(scratch.allocate(64));
  CHECK(reinterpret_cast<std::uintptr_t>(a) % workspace::alignment == 0);
  CHECK(b - a == 64);
  CHECK(c - b == 128);
  CHECK(scratch.peak_bytes() == 256);
  CHECK(scratch.blocks() == 1);
}

TEST_CASE("a scope gives back what came after it, and the same memory comes again") {
  workspace scratch;
  void* const kept = scratch.allocate(100);
  std::memset(kept, 7, 100);
  void* first = nullptr;
  {
    workspace::scope const scope{scratch};
    first = scratch.allocate(1000);
    std::memset(first, 1, 1000);
  }
  {
    workspace::scope const scope{scratch};
    CHECK(scratch.allocate(1000) == first);
    {
      workspace::scope const inner{scratch};
      CHECK(scratch.allocate(10) != first);
    }
  }
  CHECK(static_cast<unsigned char*>(kept)[99] == 7);
  CHECK(scratch.peak_bytes() == 128 + 1024 + 64);
}

TEST_CASE("blocks are fetched while shapes are new and never again") {
  workspace scratch;
  CHECK(scratch.blocks() == 0);
  auto const step = [&](std::size_t large) {
    workspace::scope const scope{scratch};
    auto* const a = static_cast<std::byte*>(scratch.allocate(700'000));
    auto* const b = static_cast<std::byte*>(scratch.allocate(700'000));  // does not fit behind the first
    auto* const c = static_cast<std::byte*>(scratch.allocate(large));
    std::memset(a, 1, 700'000);
    std::memset(b, 2, 700'000);
    std::memset(c, 3, large);
    CHECK(a[699'999] == std::byte{1});
    CHECK(b[699'999] == std::byte{2});
  };
  step(5'000'000);
  CHECK(scratch.blocks() == 3);
  std::size_t const peak = scratch.peak_bytes();
  for (int repeat = 0; repeat < 3; ++repeat) step(5'000'000);
  CHECK(scratch.blocks() == 3);
  step(100);  // smaller steps live in what is there
  CHECK(scratch.blocks() == 3);
  CHECK(scratch.peak_bytes() == peak);
  step(6'000'000);
  CHECK(scratch.blocks() == 4);
}

TEST_CASE("nothing is a legal size") {
  workspace scratch;
  CHECK(scratch.allocate(0) == scratch.allocate(0));
  CHECK(scratch.peak_bytes() == 0);
}

TEST_CASE("a step that throws gives its memory back") {
  workspace scratch;
  void* first = nullptr;
  try {
    workspace::scope const scope{scratch};
    first = scratch.allocate(10);
    throw 1;
  } catch (int) {}
  CHECK(scratch.allocate(10) == first);
}
