// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/run.hpp>

#include <doctest/doctest.h>
#include <stdexcept>

#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("inside a program that has MPI already, run works and leaves MPI as it was") {
  int argc = 0;
  char** argv = nullptr;
  bool worked = false;
  CHECK(mpi::run(argc, argv, {}, [&](mpi::communicator<>& world) {
          worked = world.size() == test_world().size();
          world.barrier();
        }) == 0);
  CHECK(worked);
  CHECK(mpi::run<mpi::library_sum>(argc, argv, {}, [](mpi::communicator<mpi::library_sum>&) { return 5; }) == 5);
  int finalized = 0;
  MPI_Finalized(&finalized);
  CHECK(finalized == 0);
}

TEST_CASE("an error agreed by all ranks is code 1 and a clean end") {
  int argc = 0;
  char** argv = nullptr;
  CHECK(mpi::run(argc, argv, {}, [](mpi::communicator<>& world) {
          world.agree([&] {
            if (world.rank() == 0) throw std::runtime_error("heddle: expected by a test");
          });
        }) == 1);
}
