// SPDX-License-Identifier: Apache-2.0
// Whether the programs of this folder have code for the GPU, for a main that nvcc does not compile.
#include <heddle/cuda/code.cuh>

// A number crosses over: a type of heddle would bear the name of OpenMP on one side alone.
void check_code_here(int gpu) { heddle::cuda::check_code(heddle::cuda::device{gpu}); }
