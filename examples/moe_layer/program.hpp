// SPDX-License-Identifier: Apache-2.0
// What moe_layer does with its options, from the first check to the output file.
#pragma once

#include "options.hpp"

namespace probe {

/// Returns the exit code. Errors in one line on stderr.
[[nodiscard]] int run_program(options const& given);
/// The same from the command line on, for a caller that has other types of these names.
[[nodiscard]] int run_command(int argc, char** argv);

}  // namespace probe
