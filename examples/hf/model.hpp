// SPDX-License-Identifier: Apache-2.0
// A model folder, open and checked, and the tokens it runs on.
#pragma once

#include "parameters.hpp"

namespace hf {

struct model {
  std::string folder;
  config settings;
  heddle::checkpoint::archive files;
  std::vector<parameter> parameters;
};

/// Reads config.json and all headers; no tensor data. Throws where anything does not fit.
[[nodiscard]] model open_model(std::string const& folder);

/// `input_ids` [sequences, length].
struct batch {
  std::vector<std::int64_t> ids;
  index_t sequences = 0, length = 0;
};

/// Reads `input_ids` I64 [B, S] from a safetensors file. Throws where it is missing, of another dtype or shape, or an
/// id is outside [0, vocab).
[[nodiscard]] batch read_tokens(std::string const& path, index_t vocab);

/// Ids of the sequences that rank `index` of `parts` takes.
[[nodiscard]] std::span<std::int64_t const> share_of(batch const& all, int parts, int index);

}  // namespace hf
