// SPDX-License-Identifier: Apache-2.0
// What the real NCCL does without a GPU: its version, its ids, its refusals.
#include <heddle/nccl/calls.hpp>

#include <doctest/doctest.h>

#include <heddle/nccl/bootstrap.hpp>
#include <string>

using namespace heddle;

TEST_CASE("nccl calls: the library that is linked is new enough and of the headers' major version") {
  nccl::calls real;
  int found = 0;
  REQUIRE(real.version(&found) == ncclSuccess);
  CHECK_NOTHROW(nccl::check_version(found));
  CHECK(found / 10000 == NCCL_MAJOR);
}

TEST_CASE("nccl calls: ranks that name one meeting point have one id, and others another one") {
  nccl::calls real;
  REQUIRE(real.environment("NCCL_COMM_ID") == nullptr);
  auto const id_at = [&](char const* point) {
    nccl::meeting<nccl::calls> const open{real, point};
    ncclUniqueId const id = nccl::make_id(real, 0);
    return std::string{id.internal, sizeof id.internal};
  };
  CHECK(id_at("127.0.0.1:29501") == id_at("127.0.0.1:29501"));
  CHECK(id_at("127.0.0.1:29501") != id_at("127.0.0.1:29502"));
  CHECK(real.environment("NCCL_COMM_ID") == nullptr);
  try {
    id_at("no port");
    FAIL("nothing was thrown");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(problem.text().find("ncclGetUniqueId: ncclInvalidArgument") == 0);
  }
}

TEST_CASE("nccl calls: what is no communicator is refused") {
  nccl::calls real;
  int size = 0;
  ncclResult_t state = ncclSuccess;
  CHECK(real.size(nullptr, &size) == ncclInvalidArgument);
  CHECK(real.async_error(nullptr, &state) == ncclInvalidArgument);
  CHECK(real.group_start() == ncclSuccess);
  CHECK(real.group_end() == ncclSuccess);
}

TEST_CASE("nccl calls: clock, pauses and names") {
  nccl::calls real;
  auto const begun = real.now();
  real.pause(std::chrono::nanoseconds{0});
  real.pause(std::chrono::seconds{1});
  CHECK(real.now() - begun >= std::chrono::microseconds{50});
  CHECK(std::string{real.explain(cudaErrorMemoryAllocation)} == "cudaErrorMemoryAllocation");
}

TEST_CASE("nccl calls: groups are made without blocking and share nothing") {
  ncclConfig_t const config = nccl::configuration();
  ncclConfig_t const usual = NCCL_CONFIG_INITIALIZER;
  CHECK(config.blocking == 0);
  CHECK(config.splitShare == 0);
  CHECK(config.magic == usual.magic);
}
