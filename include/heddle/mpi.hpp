// SPDX-License-Identifier: Apache-2.0
// Ranks that are processes of an MPI job.
#pragma once

#include <heddle/mpi/communicator.hpp>
#include <heddle/mpi/error.hpp>
#include <heddle/mpi/job.hpp>
#include <heddle/mpi/library_sum.hpp>
#include <heddle/mpi/membership.hpp>
#include <heddle/mpi/options.hpp>
#include <heddle/mpi/owned_comm.hpp>
#include <heddle/mpi/run.hpp>
#include <heddle/mpi/transfer.hpp>
#include <heddle/mpi/watchdog.hpp>
#include <heddle/mpi/window.hpp>
#include <heddle/mpi/window_list.hpp>
