// SPDX-License-Identifier: Apache-2.0
// The host backend. <heddle/host/onednn_gemm.hpp> is not here: who includes it needs oneDNN.
#pragma once

#include <heddle/host/dot_tile.hpp>
#include <heddle/host/dry_communicator.hpp>
#include <heddle/host/dry_execution.hpp>
#include <heddle/host/dry_kernels.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/family.hpp>
#include <heddle/host/gemm_calls.hpp>
#include <heddle/host/gemm_checks.hpp>
#include <heddle/host/gemm_sweep.hpp>
#include <heddle/host/index_build.hpp>
#include <heddle/host/lane.hpp>
#include <heddle/host/launch_rows.hpp>
#include <heddle/host/mover.hpp>
#include <heddle/host/no_memory.hpp>
#include <heddle/host/outer_sweep.hpp>
#include <heddle/host/outer_tile.hpp>
#include <heddle/host/pack_panel.hpp>
#include <heddle/host/parallel.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/rendezvous.hpp>
#include <heddle/host/scratch.hpp>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_communicator.hpp>
#include <heddle/host/thread_group.hpp>
#include <heddle/host/thread_memory.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/host/workspace.hpp>
