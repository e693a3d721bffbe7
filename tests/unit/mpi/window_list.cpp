// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/window_list.hpp>

#include <doctest/doctest.h>

#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("windows end by the number of their group, the rest in an order that all ranks share") {
  mpi::window_list list;
  list.reserve(4);
  int const own = test_world().rank();
  auto const make = [&] {
    void* base = nullptr;
    MPI_Win window = MPI_WIN_NULL;
    MPI_Win_allocate_shared(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &window);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, window);
    return window;
  };
  // Freed in the order in which each rank has come to keep them, they would wait for each other for ever.
  MPI_Win const made[] = {make(), make(), make()};
  for (int i = 0; i < 3; ++i) list.keep((i + own) % 3, made[(i + own) % 3]);
  list.free(1, own);
  list.free(1, own);
  list.free(99, own);
  list.keep(1, make());
  list.free_all(own);
  list.free_all(own);
  test_world().barrier();
}
