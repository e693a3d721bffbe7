// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/job.hpp>

#include <doctest/doctest.h>
#include <numeric>

#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("who leaves a group is known to have left from its next collective on, and only there") {
  mpi::job shared{MPI_COMM_WORLD, {}};
  std::vector<int> members(static_cast<std::size_t>(shared.size()));
  std::iota(members.begin(), members.end(), 0);
  CHECK(shared.open_context(shared.next_context()) == 0);
  CHECK(shared.open_context(4) == 4);
  CHECK(shared.next_context() == 5);
  if (shared.rank() == 0) shared.leave(4, 3, true, members);
  test_world().barrier();
  if (shared.rank() != 0) {
    while (shared.departed(4, 3) == nullptr) shared.poll();
    CHECK(shared.departed(4, 3)->rank == 0);
    CHECK(shared.departed(4, 3)->thrown == 1);
    CHECK(shared.departed(4, 7) != nullptr);
    CHECK(shared.departed(4, 2) == nullptr);
    CHECK(shared.departed(0, 9) == nullptr);
    shared.leave(4, 3, false, {});
    CHECK(shared.departed(4, 3) == nullptr);
  }
  shared.finish();
}
