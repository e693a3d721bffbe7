// SPDX-License-Identifier: Apache-2.0
// The command line of moe_layer.
#pragma once

#include "choice.hpp"
#include <exception>
#include <string>

namespace probe {

struct options {
  choice chosen;
  std::string in, out;
  /// Ends the program at once with this code (after --help); -1 to go on.
  int exit_code = -1;
  /// What is wrong with the command line: thrown where all ranks hear of it.
  std::exception_ptr problem;
};

[[nodiscard]] options parse_options(int argc, char** argv);

}  // namespace probe
