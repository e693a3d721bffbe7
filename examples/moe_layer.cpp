// SPDX-License-Identifier: Apache-2.0
// Runs one mixture-of-experts layer, forward and backward, under any choice of mesh, dispatcher, expert and place of
// the weight, on the tensors of one safetensors file, and writes the results to another: a probe for every policy.
#include "moe_layer/options.hpp"
#include "moe_layer/program.hpp"

#if defined(HEDDLE_WITH_CUDA)
namespace probe_gpu {
int run_command(int argc, char** argv);  // the same program, whose layers are compiled for GPUs
}  // namespace probe_gpu
#endif

int main(int argc, char** argv) {
  probe::options const given = probe::parse_options(argc, argv);
#if defined(HEDDLE_WITH_CUDA)
  bool const goes_on = given.exit_code < 0 && !given.problem;
  if (goes_on && given.chosen.device == probe::device_kind::cuda) return probe_gpu::run_command(argc, argv);
#endif
  return probe::run_program(given);
}
