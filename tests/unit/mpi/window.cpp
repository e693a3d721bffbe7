// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/window.hpp>

#include <doctest/doctest.h>
#include <heddle/mpi/run.hpp>
#include <memory>
#include <stdexcept>

#include "../../support/mpi_world.hpp"
#include "../../support/symmetric_cases.hpp"

using namespace heddle;

TEST_CASE("symmetric memory by plain stores, on every group, with and without the check") {
  auto& world = test_world();
  CHECK(symmetric_cases::everything(world) == "");
  CHECK(world.transport().memory().shared());  // the tests run on one node
  auto unchecked = world.split(0, 0);
  unchecked.transport().set_check(mpi::check_mode::off);
  CHECK(symmetric_cases::everything(unchecked) == "");
  CHECK(unchecked.transport().memory().shared());
}

TEST_CASE("symmetric memory by MPI_Put, on every group, with and without the check") {
  auto group = test_world().split(0, 0);
  group.transport().set_put(mpi::put_mode::always_mpi);
  CHECK(symmetric_cases::everything(group) == "");
  CHECK(!group.transport().memory().shared());
  auto unchecked = group.split(0, 0);  // inherits the way
  unchecked.transport().set_check(mpi::check_mode::off);
  CHECK(symmetric_cases::everything(unchecked) == "");
  CHECK(!unchecked.transport().memory().shared());
}

TEST_CASE("windows end with the job, in whatever order the ranks let go of their groups") {
  int argc = 0;
  char** argv = nullptr;
  for (mpi::put_mode const mode : {mpi::put_mode::automatic, mpi::put_mode::always_mpi}) {
    int const code = mpi::run(argc, argv, {.put = mode}, [](mpi::communicator<>& world) {
      auto const with_memory = [&](mpi::communicator<> group) {
        group.symmetric(8 + world.rank());
        return std::make_unique<mpi::communicator<>>(std::move(group));
      };
      auto all = with_memory(world.split(0, 0));
      auto reversed = with_memory(world.split(0, -world.rank()));
      auto half = with_memory(world.split(world.rank() % 2, 0));
      if (world.rank() % 3 == 0) all.reset();
      if (world.rank() % 2 == 0) half.reset();
      reversed->symmetric(100);
      reversed.reset();
      return world.rank() < 0 ? 1 : 0;
    });
    CHECK(code == 0);
  }
}

TEST_CASE("an error that all agree on ends in good order while there is memory") {
  int argc = 0;
  char** argv = nullptr;
  CHECK(mpi::run(argc, argv, {}, [](mpi::communicator<>& world) {
          world.symmetric(64);
          world.agree([&] {
            if (world.rank() == 0) throw std::runtime_error("heddle: expected by a test");
          });
        }) == 1);
}

TEST_CASE("fences stay in step with other collectives, past the numbers that tags can tell apart") {
  auto group = test_world().split(0, 0);
  group.transport().set_check(mpi::check_mode::off);
  group.transport().set_put(mpi::put_mode::always_mpi);
  auto const memory = group.symmetric(index_t{8} * group.size());
  bool good = true;
  for (int i = 0; i < 700; ++i) {
    std::int64_t const mark = 10 * i + group.rank();
    for (int peer = 0; peer < group.size(); ++peer) {
      group.put(peer, index_t{8} * group.rank(), std::span<std::int64_t const>{&mark, 1});
    }
    group.fence();
    std::int64_t sum = 0;
    for (std::int64_t const each : memory.at<std::int64_t>(0, group.size())) sum += each;
    std::int64_t total[] = {sum};
    group.all_reduce(std::span<std::int64_t>{total});  // also keeps the rounds apart
    std::int64_t const size = group.size();
    good = good && sum == 10 * i * size + size * (size - 1) / 2 && total[0] == size * sum;
  }
  CHECK(good);
}

TEST_CASE("as many groups as there can be have memory at once, by stores and by MPI_Put") {
  int const size = test_world().size();
  for (mpi::put_mode const mode : {mpi::put_mode::automatic, mpi::put_mode::always_mpi}) {
    auto world = test_world().split(0, 0);
    world.transport().set_put(mode);
    for (int const groups : {2, 4}) {
      if (groups > size) continue;
      CAPTURE(groups);
      auto part = world.split(world.rank() % groups, world.rank());
      for (int round = 0; round < 20; ++round) {  // each makes a new window, in no order between the groups
        index_t const places = index_t{1024} * (round + 1) * part.size();
        auto const memory = part.symmetric(index_t{8} * places);
        std::int64_t const mark = 1000 * round + world.rank();
        for (int peer = 0; peer < part.size(); ++peer) {
          part.put(peer, index_t{8} * (places - part.size() + part.rank()), std::span<std::int64_t const>{&mark, 1});
        }
        part.fence();
        auto const got = memory.at<std::int64_t>(8 * (places - part.size()), part.size());
        for (int peer = 0; peer < part.size(); ++peer) {
          CHECK(got[static_cast<std::size_t>(peer)] == 1000 * round + peer * groups + world.rank() % groups);
        }
        part.fence();
      }
      CHECK(part.transport().memory().shared() == (mode == mpi::put_mode::automatic));
      CHECK(symmetric_cases::rounds(part, 20, true) == "");
    }
  }
}
