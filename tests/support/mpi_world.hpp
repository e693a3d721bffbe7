// SPDX-License-Identifier: Apache-2.0
// The world that tests/mpi_main.cpp starts before the first test.
#pragma once

#include <heddle/mpi/communicator.hpp>

heddle::mpi::communicator<>& test_world();
