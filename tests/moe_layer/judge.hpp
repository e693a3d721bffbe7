// SPDX-License-Identifier: Apache-2.0
// An output file of moe_layer against the oracle.
#pragma once

#include "../support/moe_oracle.hpp"

#include <heddle/core/dtype.hpp>
#include <string>

namespace judge {

/// Writes what the oracle says in the form of the probe's output file, floats as `type`.
void write_expected(std::string const& path, oracle::layer const& of, oracle::result const& is, heddle::dtype type);

/// What is wrong with the file, empty where nothing is: its tensors, their types and shapes, integers exactly, floats
/// within 2e-5 (F32) or 1e-10 (F64) by the measure of relative.hpp. The sizes are those of `measured_layer`.
[[nodiscard]] std::string complaint(std::string const& path, oracle::layer const& of, oracle::result const& is,
                                    heddle::dtype type);

}  // namespace judge
