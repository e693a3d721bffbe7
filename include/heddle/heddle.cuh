// SPDX-License-Identifier: Apache-2.0
// Layers 0 to 7 and the backend of NVIDIA GPUs, for nvcc. Who includes <heddle/cuda/cublas_gemm.hpp> links cuBLAS.
#pragma once

#include <heddle/heddle.hpp>
#include <heddle/cuda/arena.hpp>
#include <heddle/cuda/butterfly.hpp>
#include <heddle/cuda/copy.cuh>
#include <heddle/cuda/device.hpp>
#include <heddle/cuda/error.hpp>
#include <heddle/cuda/execution.cuh>
#include <heddle/cuda/gemm_layout.hpp>
#include <heddle/cuda/gemm_load.hpp>
#include <heddle/cuda/gemm_multiply.hpp>
#include <heddle/cuda/gemm_schedule.hpp>
#include <heddle/cuda/gemm_store.hpp>
#include <heddle/cuda/gemm_tile.hpp>
#include <heddle/cuda/gpu_block.cuh>
#include <heddle/cuda/grid.hpp>
#include <heddle/cuda/grouped_checks.hpp>
#include <heddle/cuda/grouped_gemm.cuh>
#include <heddle/cuda/grouped_outer.cuh>
#include <heddle/cuda/grouped_outer.hpp>
#include <heddle/cuda/grouped_rows.hpp>
#include <heddle/cuda/lane_choice.hpp>
#include <heddle/cuda/launch.cuh>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/mma.cuh>
#include <heddle/cuda/numbers.cuh>
#include <heddle/cuda/product.hpp>
#include <heddle/cuda/queue.hpp>
#include <heddle/cuda/router.cuh>
#include <heddle/cuda/router.hpp>
#include <heddle/cuda/router_room.hpp>
#include <heddle/cuda/row_block.cuh>
#include <heddle/cuda/self_communicator.hpp>
#include <heddle/cuda/team.cuh>
#include <heddle/cuda/workspace.hpp>
