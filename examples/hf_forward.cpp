// SPDX-License-Identifier: Apache-2.0
// Runs a Hugging Face checkpoint of a mixture-of-experts model over several ranks, prints how its layers lie on them
// and what they send, and compares the logits with those stored beside the checkpoint.
#include "hf/options.hpp"
#include "hf/program.hpp"

int main(int argc, char** argv) { return hf::run_program(hf::parse_options(argc, argv)); }
