// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/staging.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;

TEST_CASE("nccl staging: memory of both sides is given back") {
  fake::calls calls;
  {
    nccl::staging<fake::calls> const memory{calls, 80, 512, 0};
    CHECK(memory.pinned() != nullptr);
    CHECK(memory.device() != nullptr);
    memory.pinned()[9] = 3;
    CHECK(calls.self->alive == 2);
    CHECK(calls.self->log == std::vector<std::string>{"device 512"});
  }
  CHECK(calls.self->alive == 0);
}

TEST_CASE("nccl staging: where one side has none, the other is given back, and the error says which") {
  for (char const* const side : {"allocate_device", "allocate_pinned"}) {
    fake::calls calls;
    calls.self->faults[side] = cudaErrorMemoryAllocation;
    error const problem = fake::refusal([&] { nccl::staging<fake::calls>(calls, 80, 512, 6); });
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.rank() == 6);
    CHECK(problem.text().find(side[9] == 'd' ? "cudaMalloc:" : "cudaMallocHost:") == 0);
    CHECK(calls.self->alive == 0);
  }
}
