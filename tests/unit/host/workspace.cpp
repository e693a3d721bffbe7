// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/workspace.hpp>

#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <string>

using heddle::error;
using heddle::error_kind;
using heddle::host::workspace;

namespace {

/// The text of the error of `allocate(bytes)`, "" where there is none.
std::string refusal(workspace& scratch, std::size_t bytes) {
  try {
    static_cast<void>(scratch.allocate(bytes));
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(!problem.hint().empty());
    return problem.text();
  }
  return {};
}

}  // namespace

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

TEST_CASE("what is kept moves to the front of what is given back, also from another block") {
  workspace scratch;
  void* const before = scratch.allocate(100);
  auto const then = scratch.now();
  CHECK(!scratch.handed_out_since(then, before));
  for (std::size_t const between : {std::size_t{10}, std::size_t{5'000'000}}) {
    void* const first = scratch.allocate(between);
    auto* const data = static_cast<unsigned char*>(scratch.allocate(300));
    CHECK(scratch.handed_out_since(then, data));
    CHECK(!scratch.handed_out_since(scratch.now(), data));
    for (int i = 0; i < 300; ++i) data[i] = static_cast<unsigned char>(i % 251);
    auto const* const kept = static_cast<unsigned char*>(scratch.keep_only(then, data, 300));
    bool same = true;
    for (int i = 0; i < 300; ++i) same = same && kept[i] == i % 251;
    CHECK(same);
    if (between == 10) CHECK(kept == first);
    CHECK(scratch.used_bytes() == 128 + 320);
    CHECK(scratch.keep_only(then, before, 100) == before);  // it was there: only the rest is given back
    CHECK(scratch.used_bytes() == 128);
  }
}

TEST_CASE("a limit holds for what is handed out, both stacks together, to the byte") {
  workspace scratch{256};
  CHECK(refusal(scratch, 257) == "257 bytes are wanted where 0 are in use and the limit is 256");
  CHECK(scratch.blocks() == 0);
  void* const first = scratch.allocate(100);
  CHECK(refusal(scratch, 129) == "129 bytes are wanted where 128 are in use and the limit is 256");
  {
    workspace::scope const scope{scratch.aside()};
    CHECK(refusal(scratch.aside(), 129) == "129 bytes are wanted where 128 are in use and the limit is 256");
    CHECK(refusal(scratch.aside(), 65) == "");
    CHECK(refusal(scratch, 1) == "1 bytes are wanted where 256 are in use and the limit is 256");
    CHECK(refusal(scratch.aside(), 1) == "1 bytes are wanted where 256 are in use and the limit is 256");
    CHECK(refusal(scratch, 0) == "");
  }
  CHECK(static_cast<std::byte*>(scratch.allocate(128)) - static_cast<std::byte*>(first) == 128);
  CHECK(scratch.peak_bytes() == 256);
  workspace none{0};
  CHECK(refusal(none, 0) == "");
  CHECK(refusal(none, 1) != "");
}

TEST_CASE("sizes that wrap around are refused, and a refusal changes nothing") {
  workspace scratch;
  void* const first = scratch.allocate(64);
  auto const before = scratch.now();
  // A size below zero, and one that rounding up would make zero.
  CHECK(refusal(scratch, static_cast<std::size_t>(-64)).find("18446744073709551552 bytes are wanted") == 0);
  CHECK(refusal(scratch, SIZE_MAX - 62) != "");
  CHECK(scratch.now().used == before.used);
  CHECK(scratch.used_bytes() == 64);
  CHECK(scratch.peak_bytes() == 64);
  CHECK(scratch.blocks() == 1);
  CHECK(static_cast<std::byte*>(scratch.allocate(1)) - static_cast<std::byte*>(first) == 64);
}
