// SPDX-License-Identifier: Apache-2.0
// Layers 0 to 7 and the backend of NVIDIA GPUs, for nvcc. Who includes <heddle/cuda/cublas_gemm.hpp> links cuBLAS.
#pragma once

#include <heddle/heddle.hpp>
#include <heddle/cuda/arena.hpp>
#include <heddle/cuda/butterfly.hpp>
#include <heddle/cuda/device.hpp>
#include <heddle/cuda/error.hpp>
#include <heddle/cuda/execution.cuh>
#include <heddle/cuda/grid.hpp>
#include <heddle/cuda/launch.cuh>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/numbers.cuh>
#include <heddle/cuda/product.hpp>
#include <heddle/cuda/queue.hpp>
#include <heddle/cuda/self_communicator.hpp>
#include <heddle/cuda/team.cuh>
#include <heddle/cuda/workspace.hpp>
