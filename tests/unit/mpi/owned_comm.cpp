// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/owned_comm.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("a communicator moves, and ends with its last owner") {
  MPI_Comm copy = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_SELF, &copy);
  mpi::owned_comm first{copy};
  CHECK(first.get() == copy);
  mpi::owned_comm second{std::move(first)};
  CHECK(first.get() == MPI_COMM_NULL);
  mpi::owned_comm third;
  CHECK(third.get() == MPI_COMM_NULL);
  third = std::move(second);
  int size = 0;
  CHECK(MPI_Comm_size(third.get(), &size) == MPI_SUCCESS);
  CHECK(size == 1);
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_Comm_get_errhandler(third.get(), &handler);
  CHECK(handler == MPI_ERRORS_RETURN);
  MPI_Errhandler_free(&handler);
}
