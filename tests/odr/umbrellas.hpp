// SPDX-License-Identifier: Apache-2.0
// Everything that is installed here, for two translation units of one program.
#pragma once

#include <heddle/heddle.hpp>
#include <heddle/host.hpp>
#if defined(HEDDLE_ODR_MPI)
#include <heddle/mpi.hpp>
#endif
#if defined(HEDDLE_ODR_CHECKPOINT)
#include <heddle/checkpoint.hpp>
#endif
