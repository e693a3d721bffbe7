// SPDX-License-Identifier: Apache-2.0
// Whether the programs of this folder have code for the GPU, for a main that nvcc does not compile.
#include <heddle/cuda/code.cuh>

void check_code_here(heddle::cuda::device const& gpu) { heddle::cuda::check_code(gpu); }
