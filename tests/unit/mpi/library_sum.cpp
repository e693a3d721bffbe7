// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/library_sum.hpp>

#include <doctest/doctest.h>
#include <memory>

#include "../../support/collective_cases.hpp"
#include "../../support/mpi_world.hpp"

using namespace heddle;

static_assert(mpi::library_summable<float> && !mpi::library_summable<bf16>);

TEST_CASE("sums of the library are right on exact values; narrow floats and moves are as ever") {
  auto const shared = std::make_shared<mpi::job>(MPI_COMM_WORLD, mpi::options{});
  {
    mpi::communicator<mpi::library_sum> group{mpi::transport<mpi::library_sum>{shared}};
    CHECK(collective_cases::sums<std::int32_t>(group) == "");
    CHECK(collective_cases::sums<std::int64_t>(group) == "");
    CHECK(collective_cases::sums<bf16>(group) == "");
    CHECK(collective_cases::moves<float>(group) == "");
    std::vector<double> data(1000, group.rank() + 0.5);
    group.all_reduce(std::span{data});
    double const size = group.size();
    CHECK(data == std::vector<double>(1000, size * size / 2));
  }
  shared->finish();
}

TEST_CASE("counts that an int cannot name are recognised") {
  CHECK(mpi::fits_int(2147483647));
  CHECK(!mpi::fits_int(2147483648));
}
