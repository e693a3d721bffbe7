// SPDX-License-Identifier: Apache-2.0
// What hf_forward does with its options, from the first check to the last line.
#pragma once

#include "options.hpp"

namespace hf {

/// Returns the exit code. Reports on stdout, errors in one line on stderr.
[[nodiscard]] int run_program(options const& given);

}  // namespace hf
