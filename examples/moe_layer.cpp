// SPDX-License-Identifier: Apache-2.0
// Runs one mixture-of-experts layer, forward and backward, under any choice of mesh, dispatcher, expert and place of
// the weight, on the tensors of one safetensors file, and writes the results to another: a probe for every policy.
#include "moe_layer/options.hpp"
#include "moe_layer/program.hpp"

int main(int argc, char** argv) { return probe::run_program(probe::parse_options(argc, argv)); }
