// SPDX-License-Identifier: Apache-2.0
// Ranks with a GPU each, connected by NCCL. <heddle/nccl/lsa.cuh> is not here: it is for nvcc.
#pragma once

#include <heddle/nccl/bootstrap.hpp>
#include <heddle/nccl/calls.hpp>
#include <heddle/nccl/cast.hpp>
#include <heddle/nccl/communicator.hpp>
#include <heddle/nccl/connection.hpp>
#include <heddle/nccl/error.hpp>
#include <heddle/nccl/groups.hpp>
#include <heddle/nccl/membership.hpp>
#include <heddle/nccl/moves.hpp>
#include <heddle/nccl/numbers.hpp>
#include <heddle/nccl/options.hpp>
#include <heddle/nccl/patience.hpp>
#include <heddle/nccl/peer_memory.hpp>
#include <heddle/nccl/places.hpp>
#include <heddle/nccl/plan.hpp>
#include <heddle/nccl/staging.hpp>
#include <heddle/nccl/sums.hpp>
#include <heddle/nccl/types.hpp>
#include <heddle/nccl/window.hpp>
#include <heddle/nccl/window_list.hpp>
