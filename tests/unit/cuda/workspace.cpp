// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/workspace.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <type_traits>

using heddle::error;
using heddle::error_kind;
using heddle::cuda::workspace;

namespace {

struct alignas(256) some_memory {
  std::byte bytes[4096];
};

std::string refusal(workspace& scratch, bool here, std::size_t bytes) {
  try {
    static_cast<void>(here ? scratch.allocate_here(bytes) : scratch.allocate(bytes));
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.rank() == 6);
    return problem.text();
  }
  return "";
}

}  // namespace

TEST_CASE("workspace: data and counts come from different memory, and a scope gives both back") {
  some_memory data, here;
  workspace scratch{data.bytes, 4096, here.bytes, 1024};
  {
    workspace::scope const step{scratch};
    CHECK(scratch.allocate(1000) == data.bytes);
    CHECK(scratch.allocate_here(1000) == here.bytes);
    CHECK(scratch.used_bytes() == 1024);
  }
  CHECK(scratch.used_bytes() == 0);
  CHECK(scratch.allocate(1) == data.bytes);
  CHECK(scratch.allocate_here(1) == here.bytes);
  CHECK(scratch.peak_bytes() == 1024);
  CHECK(scratch.peak_bytes_here() == 1024);
}

TEST_CASE("workspace: what is lent goes before what was allocated meanwhile") {
  some_memory data, here;
  workspace scratch{data.bytes, 4096, here.bytes, 1024};
  void* kept = nullptr;
  {
    workspace::loan const moment{scratch};
    CHECK(scratch.lend(512) == data.bytes + 3584);
    kept = scratch.allocate(256);
    CHECK(scratch.used_bytes() == 768);
  }
  CHECK(scratch.used_bytes() == 256);
  CHECK(kept == data.bytes);
}

TEST_CASE("workspace: it says which of the two is too small") {
  some_memory data, here;
  workspace scratch{data.bytes, 4096, here.bytes, 1024, 6};
  CHECK(refusal(scratch, false, 5000) ==
        "5000 bytes are wanted where 0 of the 4096 bytes of the GPU's workspace are in use");
  CHECK(refusal(scratch, true, 2000) ==
        "2000 bytes are wanted where 0 of the 1024 bytes of the host's workspace are in use");
}

TEST_CASE("workspace: what is kept of a branch moves to where the branch began") {
  some_memory data, here;
  workspace scratch{data.bytes, 4096, here.bytes, 1024};
  static_cast<void>(scratch.allocate(256));
  auto const then = scratch.now();
  static_cast<void>(scratch.allocate(512));
  void* const result = scratch.allocate(512);
  std::memset(result, 7, 512);
  CHECK(scratch.handed_out_since(then, result));
  void* const place = scratch.keep_only(
      then, result, 512, [](void* to, void const* from, std::size_t bytes) { std::memcpy(to, from, bytes); });
  CHECK(place == data.bytes + 256);
  CHECK(data.bytes[256 + 511] == std::byte{7});
  CHECK(scratch.used_bytes() == 768);
}
