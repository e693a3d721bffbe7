// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/patience.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;

TEST_CASE("nccl patience: it looks once at least, pauses between looks, and ends with the last one") {
  for (int const needed : {1, 2, 9}) {
    fake::calls calls;
    int looks = 0;
    CHECK(nccl::in_time(calls, std::chrono::milliseconds{20}, [&] { return ++looks == needed; }));
    CHECK(looks == needed);
    CHECK(calls.self->time.count() == needed - 1);
  }
}

TEST_CASE("nccl patience: past the deadline nothing is looked at, and without one it never passes") {
  fake::calls calls;
  int looks = 0;
  CHECK_FALSE(nccl::in_time(calls, std::chrono::milliseconds{20}, [&] { return ++looks == 100; }));
  CHECK(looks == 22);
  CHECK(calls.self->time.count() == 21);
  calls.self->step = std::chrono::hours{10};
  looks = 0;
  CHECK(nccl::in_time(calls, nccl::no_deadline, [&] { return ++looks == 100; }));
}
