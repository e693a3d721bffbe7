// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/communicator.hpp>

#include <doctest/doctest.h>
#include <stdexcept>

#include "../../support/collective_cases.hpp"
#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("every collective gives the bits of the serial computation, on every group, with and without the check") {
  auto& world = test_world();
  CHECK(collective_cases::everything_split(world) == "");
  auto unchecked = world.split(0, 0);
  unchecked.transport().set_check(mpi::check_mode::off);
  CHECK(collective_cases::everything_split(unchecked) == "");
}

TEST_CASE("many collectives in a row stay in step") {
  auto group = test_world().split(0, 0);
  group.transport().set_check(mpi::check_mode::off);
  std::int64_t sum = 0;
  for (int i = 0; i < 2500; ++i) {  // more than the numbers that tags can tell apart
    std::int64_t data[] = {group.rank() + i};
    group.all_reduce(std::span<std::int64_t>{data});
    sum += data[0];
  }
  std::int64_t const size = group.size();
  CHECK(sum == 2500 * (size * (size - 1) / 2) + size * (2499 * 2500 / 2));
}

TEST_CASE("agree carries the exception of one rank to all; the group goes on") {
  auto group = test_world().split(0, 0);
  int const last = group.size() - 1;
  std::string seen;
  try {
    group.agree([&] {
      if (group.rank() == last) throw std::out_of_range("token 99");
    });
  } catch (std::out_of_range const&) {
    seen = "own";
  } catch (error const& problem) {
    bool const good = problem.kind() == error_kind::peer_failed && problem.culprit() == test_world().size() - 1 &&
                      problem.text().find("token 99") != std::string::npos;
    seen = good ? "peer" : problem.what();
  }
  CHECK(seen == (group.rank() == last ? "own" : "peer"));
  group.barrier();
}

TEST_CASE("a bad argument on one rank is that rank's error and its peers' peer_failed, where the check is on") {
  auto group = test_world().split(0, 0);
  int const last = group.size() - 1;
  std::vector<float> data(8);
  error_kind seen = error_kind::io;
  try {
    group.broadcast(std::span{data}, group.rank() == last ? 99 : 0);
  } catch (error const& problem) {
    seen = problem.kind();
  }
  CHECK(seen == (group.rank() == last ? error_kind::argument : error_kind::peer_failed));
  group.barrier();
}

TEST_CASE("a plan hash is inherited by groups") {
  auto group = test_world().split(0, 0);
  group.set_plan(0xabcdef);
  auto part = group.split(group.rank() % 2, 0);
  part.barrier();
  group.barrier();
}
