// SPDX-License-Identifier: Apache-2.0
// Only what returns: how a job ends is shown by tests/faults/mpi_matrix.cpp.
#include <heddle/mpi/error.hpp>

#include <doctest/doctest.h>

TEST_CASE("a call that succeeded goes on") { heddle::mpi::require(MPI_SUCCESS, "MPI_Test", 0); }
