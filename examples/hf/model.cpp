// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>

namespace hf {

using heddle::error;
using heddle::error_kind;

model open_model(std::string const& folder) {
  config settings = read_config(folder);
  heddle::checkpoint::archive files = heddle::checkpoint::open(folder);
  std::vector<parameter> parameters = parameters_of(settings, files);
  return {folder, std::move(settings), std::move(files), std::move(parameters)};
}

batch read_tokens(std::string const& path, index_t vocab) {
  auto const file = heddle::checkpoint::open(path);
  auto const* const tensor = file.find("input_ids");
  char const* const hint = "give a safetensors file with input_ids I64 [batch, length]";
  if (tensor == nullptr) throw error(error_kind::format, path + ": there is no tensor 'input_ids'", hint);
  if (readable(tensor->type) != heddle::dtype::i64) {
    throw error(error_kind::unsupported,
                path + ": 'input_ids' is " + std::string{name_of(tensor->type)} + ", expected I64", hint);
  }
  if (tensor->shape.size() != 2) {
    throw error(error_kind::shape,
                path + ": 'input_ids' has " + std::to_string(tensor->shape.size()) + " axes, expected 2", hint);
  }
  batch read{{}, tensor->shape[0], tensor->shape[1]};
  if (read.sequences == 0 || read.length == 0) {
    throw error(
        error_kind::shape,
        path + ": 'input_ids' is " + heddle::checkpoint::detail::text_of(tensor->shape) + ", there is nothing to run",
        hint);
  }
  read.ids.resize(static_cast<std::size_t>(read.sequences * read.length));
  heddle::checkpoint::read<std::int64_t>(file, "input_ids", heddle::box::all(tensor->shape), read.ids);
  for (std::size_t i = 0; i < read.ids.size(); ++i) {
    if (read.ids[i] >= 0 && read.ids[i] < vocab) continue;
    auto const length = static_cast<std::size_t>(read.length);
    throw error(error_kind::argument,
                path + ": token " + std::to_string(i % length) + " of sequence " + std::to_string(i / length) + " is " +
                    std::to_string(read.ids[i]) + ", outside the vocabulary of " + std::to_string(vocab),
                "use tokens of this model's tokenizer, 0 to " + std::to_string(vocab - 1));
  }
  return read;
}

std::span<std::int64_t const> share_of(batch const& all, int parts, int index) {
  heddle::range const mine = heddle::balanced::piece(all.sequences, parts, index);
  return std::span{all.ids}.subspan(static_cast<std::size_t>(mine.begin * all.length),
                                    static_cast<std::size_t>(mine.size * all.length));
}

}  // namespace hf
