// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/bootstrap.hpp>

#include <doctest/doctest.h>

#include <heddle/host/thread_world.hpp>
#include <map>
#include <string>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

using variables = std::map<std::string, std::string>;
variables const good{{"RANK", "5"},
                     {"WORLD_SIZE", "16"},
                     {"LOCAL_RANK", "1"},
                     {"MASTER_ADDR", "node-0.cluster"},
                     {"MASTER_PORT", "29500"}};

nccl::place place_of(variables const& set, int gpus = -1) {
  return nccl::place_from_environment(
      [&](char const* name) {
        auto const found = set.find(name);
        return found == set.end() ? nullptr : found->second.c_str();
      },
      gpus);
}
/// The same with one variable changed, or taken away.
error refused(char const* name, char const* value, int gpus = -1) {
  variables set = good;
  if (value == nullptr) set.erase(name);
  else set[name] = value;
  error const problem = fake::refusal([&] { static_cast<void>(place_of(set, gpus)); });
  CHECK(problem.kind() == error_kind::argument);
  CHECK(problem.text().rfind(name, 0) == 0);
  CHECK_FALSE(problem.hint().empty());
  if (value != nullptr && *value != '\0') CHECK(problem.text().find(value) != std::string::npos);
  return problem;
}

}  // namespace

TEST_CASE("nccl bootstrap: torchrun's variables are a place") {
  nccl::place const found = place_of(good, 8);
  CHECK(found.rank == 5);
  CHECK(found.size == 16);
  CHECK(found.local_rank == 1);
  CHECK(found.address == "node-0.cluster");
  CHECK(found.port == 29500);
  CHECK(nccl::meeting_point(found) == "node-0.cluster:29501");
  CHECK(nccl::meeting_point(found, 7) == "node-0.cluster:29507");
}

TEST_CASE("nccl bootstrap: a variable that is not there is named") {
  for (char const* const name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    CHECK(refused(name, nullptr).text() == std::string{name} + " is not set");
  }
}

TEST_CASE("nccl bootstrap: what is no number, or none that fits, is told with what would fit") {
  for (char const* const name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"}) {
    for (char const* const value : {"", "x", "1x", " 1", "1 ", "+1", "0x1", "1.5", "-1", "99999999999999999999"}) {
      CAPTURE(name);
      CAPTURE(value);
      refused(name, value);
    }
  }
  error const problem = refused("RANK", "16");
  CHECK(problem.text() == "RANK is \"16\" in a job of WORLD_SIZE 16");
  CHECK(problem.hint() == "let it be a whole number from 0 to 15");
  CHECK(refused("RANK", "7?").text() == "RANK is \"7?\", which is no whole number that fits");
  refused("WORLD_SIZE", "0");
  refused("WORLD_SIZE", "2147483648");
  refused("MASTER_PORT", "0");
  CHECK(refused("MASTER_PORT", "65536").text() == "MASTER_PORT is \"65536\", and ports end at 65535");
  CHECK(refused("MASTER_PORT", "65536").rank() == 5);
  CHECK(refused("LOCAL_RANK", "16").hint() == "let it be a whole number from 0 to 15");
}

TEST_CASE("nccl bootstrap: a local rank has a GPU of its own") {
  CHECK(refused("LOCAL_RANK", "2", 2).text() == "LOCAL_RANK is \"2\" on a machine with 2 GPUs, in a job of 16");
  CHECK(refused("LOCAL_RANK", "2", 2).hint() == "let it be a whole number from 0 to 1");
  CHECK(refused("LOCAL_RANK", "1", 0).hint().find("CUDA_VISIBLE_DEVICES") != std::string::npos);
  CHECK_NOTHROW(place_of(good, 2));
}

TEST_CASE("nccl bootstrap: an address is a name or an address, and nothing around it") {
  CHECK(refused("MASTER_ADDR", "").text() == "MASTER_ADDR is empty");
  for (char const* const value : {"a b", "http://a", "[::1]", "a\n"}) refused("MASTER_ADDR", value);
  variables six = good;
  six["MASTER_ADDR"] = "fe80::1";
  CHECK(nccl::meeting_point(place_of(six)) == "[fe80::1]:29501");
}

TEST_CASE("nccl bootstrap: the port above torchrun's must be one") {
  variables last = good;
  last["MASTER_PORT"] = "65535";
  error const problem = fake::refusal([&] { static_cast<void>(nccl::meeting_point(place_of(last))); });
  CHECK(problem.kind() == error_kind::argument);
  CHECK(problem.text() == "MASTER_PORT is 65535, and NCCL meets 1 above it");
  CHECK(problem.hint() == "let it be at most 65534");
}

TEST_CASE("nccl bootstrap: NCCL_COMM_ID is set while the ranks meet, and what the user has set stays") {
  fake::calls calls;
  {
    nccl::meeting<fake::calls> const open{calls, "a:7"};
    CHECK(std::string{calls.environment("NCCL_COMM_ID")} == "a:7");
    CHECK(std::string{nccl::make_id(calls, 0).internal} == "id of a:7");
  }
  CHECK(calls.environment("NCCL_COMM_ID") == nullptr);
  calls.set_environment("NCCL_COMM_ID", "b:8");
  {
    nccl::meeting<fake::calls> const open{calls, "a:7"};
    CHECK(std::string{calls.environment("NCCL_COMM_ID")} == "b:8");
  }
  CHECK(std::string{calls.environment("NCCL_COMM_ID")} == "b:8");
}

TEST_CASE("nccl bootstrap: an id is made by an NCCL that is new enough, or not at all") {
  fake::calls calls;
  calls.self->loaded = 22703;
  CHECK(fake::refusal([&] { static_cast<void>(nccl::make_id(calls, 3)); }).kind() == error_kind::unsupported);
  CHECK(calls.self->log.empty());
  calls.self->loaded = 22809;
  calls.self->answers["unique_id"] = ncclSystemError;
  error const problem = fake::refusal([&] { static_cast<void>(nccl::make_id(calls, 3)); });
  CHECK(problem.kind() == error_kind::io);
  CHECK(problem.rank() == 3);
  CHECK(problem.text() == "ncclGetUniqueId: ncclSystemError (as the script says)");
}

TEST_CASE("nccl bootstrap: where no interface is in the subnet of the meeting point, the error says what to do") {
  fake::calls calls;
  calls.self->answers["unique_id"] = ncclSystemError;
  nccl::meeting<fake::calls> const open{calls, "10.1.2.3:29501"};
  error const problem = fake::refusal([&] { static_cast<void>(nccl::make_id(calls, 3)); });
  CHECK(problem.kind() == error_kind::io);
  CHECK(problem.rank() == 3);
  CHECK(problem.text() == "ncclGetUniqueId: ncclSystemError (as the script says), and ranks meet at 10.1.2.3:29501");
  CHECK(problem.hint().find("interface in the subnet of that address") != std::string::npos);
  CHECK(problem.hint().find("nccl::share_id") != std::string::npos);
  calls.self->answers["unique_id"] = ncclInvalidArgument;
  CHECK(fake::refusal([&] { static_cast<void>(nccl::make_id(calls, 3)); }).hint().find("subnet") == std::string::npos);
}

TEST_CASE("nccl bootstrap: over a communicator rank 0's id reaches all, and so does its failure") {
  fake::calls first;
  first.set_environment("NCCL_COMM_ID", "only rank 0");
  std::vector<std::string> found(3);
  host::thread_world job{3};
  host::run(job, [&](host::thread_communicator& world) {
    fake::calls other;
    auto const id = nccl::share_id(world, world.rank() == 0 ? first : other);
    found[static_cast<std::size_t>(world.rank())] = id.internal;
  });
  for (std::string const& each : found) CHECK(each == "id of only rank 0");

  std::vector<error_kind> kinds(3, error_kind::plan);
  host::thread_world next{3};
  host::run(next, [&](host::thread_communicator& world) {
    fake::calls mine;
    if (world.rank() == 0) mine.self->answers["unique_id"] = ncclInternalError;
    kinds[static_cast<std::size_t>(world.rank())] =
        fake::refusal([&] { static_cast<void>(nccl::share_id(world, mine)); }).kind();
  });
  CHECK(kinds == std::vector{error_kind::device, error_kind::peer_failed, error_kind::peer_failed});
}
