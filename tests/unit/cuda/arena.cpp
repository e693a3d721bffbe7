// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/arena.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

using heddle::error;
using heddle::error_kind;
using heddle::cuda::arena;
using heddle::cuda::side;

namespace {

/// Memory of the host, so that a test can look into it.
struct some_memory {
  explicit some_memory(std::size_t size) : bytes(size + arena::alignment) {}
  std::byte* begin() {
    auto const number = reinterpret_cast<std::uintptr_t>(bytes.data());
    return bytes.data() + (arena::alignment - number % arena::alignment) % arena::alignment;
  }
  std::vector<std::byte> bytes;
};

template <class Call>
error thrown_by(Call const& call) {
  try {
    call();
  } catch (error const& problem) {
    return problem;
  }
  return {error_kind::poisoned, "nothing was thrown"};
}

struct piece {
  void* to;
  void const* from;
  std::size_t bytes;
};

}  // namespace

TEST_CASE("arena: memory is aligned, apart, inside, and counted in units of the alignment") {
  some_memory memory{2048};
  arena scratch{memory.begin(), 2048};
  CHECK(scratch.allocate(1) == memory.begin());
  CHECK(scratch.allocate(257) == memory.begin() + 256);
  CHECK(scratch.allocate(0) == memory.begin() + 768);
  CHECK(scratch.allocate(256) == memory.begin() + 768);
  CHECK(scratch.allocate(1, side::back) == memory.begin() + 1792);
  CHECK(scratch.allocate(300, side::back) == memory.begin() + 1280);
  CHECK(scratch.used_bytes() == 1024 + 768);
  CHECK(scratch.peak_bytes() == 1024 + 768);
}

TEST_CASE("arena: the two sides share the room, and what does not fit is refused in numbers and changes nothing") {
  some_memory memory{1300};
  arena scratch{memory.begin(), 1300, "the memory of a test", 2};
  CHECK(scratch.size() == 1280);
  static_cast<void>(scratch.allocate(512));
  static_cast<void>(scratch.allocate(256, side::back));
  for (side const from : {side::front, side::back}) {
    error const problem = thrown_by([&] { static_cast<void>(scratch.allocate(513, from)); });
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.rank() == 2);
    CHECK(problem.text() == "513 bytes are wanted where 768 of the 1280 bytes of the memory of a test are in use");
  }
  CHECK(thrown_by([&] { static_cast<void>(scratch.allocate(~std::size_t{0})); }).kind() == error_kind::workspace);
  CHECK(scratch.used_bytes() == 768);
  CHECK(scratch.allocate(512) == memory.begin() + 512);
  CHECK(thrown_by([&] { static_cast<void>(scratch.allocate(1)); }).kind() == error_kind::workspace);
}

TEST_CASE("arena: memory that no GPU allocator returns is refused") {
  some_memory memory{512};
  CHECK(thrown_by([&] { arena{memory.begin() + 16, 256}; }).kind() == error_kind::argument);
  CHECK(thrown_by([] { arena{nullptr, 256}; }).kind() == error_kind::argument);
  arena nothing{nullptr, 0};
  CHECK(nothing.allocate(0) == nullptr);
  CHECK(thrown_by([&] { static_cast<void>(nothing.allocate(1)); }).kind() == error_kind::workspace);
}

TEST_CASE("arena: a scope gives back its own side, and the same memory comes again") {
  some_memory memory{4096};
  arena scratch{memory.begin(), 4096};
  static_cast<void>(scratch.allocate(100));
  void *front = nullptr, *back = nullptr;
  {
    arena::scope const step{scratch};
    front = scratch.allocate(500);
    {
      arena::scope const moment{scratch, side::back};
      back = scratch.allocate(500, side::back);
      static_cast<void>(scratch.allocate(256));
    }
    CHECK(scratch.used_bytes() == 256 + 512 + 256);
    CHECK(scratch.allocate(500, side::back) == back);
  }
  CHECK(scratch.used_bytes() == 256 + 512);  // the back had no scope
  CHECK(scratch.allocate(500) == front);
}

TEST_CASE("arena: what was handed out since a moment") {
  some_memory memory{4096};
  arena scratch{memory.begin(), 4096};
  auto* const before = static_cast<std::byte*>(scratch.allocate(300));
  auto const then = scratch.now();
  auto* const after = static_cast<std::byte*>(scratch.allocate(300));
  void* const beside = scratch.allocate(300, side::back);
  CHECK_FALSE(scratch.handed_out_since(then, before));
  CHECK_FALSE(scratch.handed_out_since(then, before + 511));
  CHECK(scratch.handed_out_since(then, after));
  CHECK(scratch.handed_out_since(then, after + 511));
  CHECK_FALSE(scratch.handed_out_since(then, after + 512));
  CHECK_FALSE(scratch.handed_out_since(then, beside));
}

TEST_CASE("arena: what is kept moves to the front in pieces that do not overlap, and arrives whole") {
  for (std::size_t skipped : {256U, 512U, 2048U}) {
    for (std::size_t bytes : {0U, 1U, 256U, 700U, 2048U}) {
      some_memory memory{8192};
      arena scratch{memory.begin(), 8192};
      static_cast<void>(scratch.allocate(256));
      auto const then = scratch.now();
      static_cast<void>(scratch.allocate(skipped));
      auto* const data = static_cast<unsigned char*>(scratch.allocate(bytes));
      static_cast<void>(scratch.allocate(512));
      for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<unsigned char>(i * 7 % 251);
      void* const place = scratch.keep_only(then, data, bytes, [](void* to, void const* from, std::size_t size) {
        auto const apart = static_cast<std::byte const*>(from) - static_cast<std::byte*>(to);
        CHECK(static_cast<std::size_t>(apart < 0 ? -apart : apart) >= size);
        std::memcpy(to, from, size);
      });
      CHECK(place == memory.begin() + 256);
      CHECK(scratch.now().front == 256 + (bytes + 255) / 256 * 256);
      for (std::size_t i = 0; i < bytes; ++i)
        CHECK(static_cast<unsigned char*>(place)[i] == static_cast<unsigned char>(i * 7 % 251));
    }
  }
}

TEST_CASE("arena: what would move in many small steps stays, and so does what is not of the moment") {
  some_memory memory{8192};
  arena scratch{memory.begin(), 8192};
  void* const old = scratch.allocate(256);
  auto const then = scratch.now();
  static_cast<void>(scratch.allocate(256));
  void* const data = scratch.allocate(9 * 256);
  static_cast<void>(scratch.allocate(256));
  std::vector<piece> moved;
  auto const copy = [&](void* to, void const* from, std::size_t bytes) { moved.push_back({to, from, bytes}); };
  CHECK(scratch.keep_only(then, data, 9 * 256, copy) == data);
  CHECK(scratch.now().front == 11 * 256);
  CHECK(scratch.keep_only(then, old, 256, copy) == old);
  CHECK(scratch.now().front == 256);
  CHECK(scratch.keep_only(then, scratch.allocate(700), 700, copy) == memory.begin() + 256);  // it is there already
  CHECK(moved.empty());
}

TEST_CASE("arena: data from the midst of an allocation is kept, and what comes behind it is aligned") {
  auto const copy = [](void* to, void const* from, std::size_t bytes) { std::memcpy(to, from, bytes); };
  for (std::size_t bytes : {900U, 1008U}) {  // would move in 57 steps of 16 bytes, so it stays
    some_memory memory{1024};
    arena scratch{memory.begin(), 1024};
    auto const then = scratch.now();
    auto* const data = static_cast<std::byte*>(scratch.allocate(1024)) + 16;
    CHECK(scratch.keep_only(then, data, bytes, copy) == data);
    CHECK(scratch.now().front == 1024);
  }
  some_memory memory{4096};
  arena scratch{memory.begin(), 4096};
  static_cast<void>(scratch.allocate(256));
  auto const then = scratch.now();
  auto* const data = static_cast<unsigned char*>(scratch.allocate(2048)) + 528;
  for (std::size_t i = 0; i < 1000; ++i) data[i] = static_cast<unsigned char>(i * 7 % 251);
  auto* const place = static_cast<unsigned char*>(scratch.keep_only(then, data, 1000, copy));
  for (std::size_t i = 0; i < 1000; ++i) CHECK(place[i] == static_cast<unsigned char>(i * 7 % 251));
  auto* const next = static_cast<std::byte*>(scratch.allocate(1));
  CHECK((next - memory.begin()) % 256 == 0);
  CHECK(next >= static_cast<void*>(place + 1000));
}
