// SPDX-License-Identifier: Apache-2.0
#include "answer.hpp"

#include <filesystem>
#include <heddle/checkpoint/write.hpp>
#include <heddle/core/error.hpp>

namespace probe {

void require_writable(std::string const& path, std::string const& input) {
  std::error_code unknown;
  // A file cannot take the name of a folder, which renaming would say only after the run; that of a device it should
  // not.
  if (std::filesystem::is_directory(path, unknown)) heddle::checkpoint::fail_io("write", path, EISDIR);
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    throw heddle::error(heddle::error_kind::io, "cannot write '" + path + "': not a regular file",
                        "name a new file, or one to replace");
  }
  if (std::filesystem::equivalent(path, input, unknown)) {
    throw heddle::error(heddle::error_kind::argument, "--out is '" + path + "', the file that --in reads",
                        "name another file");
  }
  heddle::checkpoint::atomic_file const can_be_written{path};
}

template <class T>
void write_answer(std::string const& path, problem<T> const& of, answer<T> const& is) {
  std::vector<heddle::checkpoint::tensor_entry> entries;
  auto const add = [&]<class Element>(std::string name, heddle::shape_t shape, std::span<Element const> values) {
    entries.push_back({.name = std::move(name),
                       .type = heddle::dtype_v<Element>,
                       .shape = std::move(shape),
                       .bytes = std::as_bytes(values)});
  };
  index_t const top_k = of.settings.top_k;
  add("output", {of.tokens, of.hidden}, std::span{is.output});
  add("indices", {of.tokens, top_k}, std::span{is.indices});
  add("weights", {of.tokens, top_k}, std::span{is.weights});
  add("tokens_per_expert", {of.experts}, std::span{is.tokens_per_expert});
  add("dropped_per_expert", {of.experts}, std::span{is.dropped_per_expert});
  add("loss.aux", {}, std::span{&is.aux_loss, 1});
  add("loss.z", {}, std::span{&is.z_loss, 1});
  add("expert_bias.updated", {of.experts}, std::span{is.updated_expert_bias});
  for (auto const& [name, values] : is.gradients) add("grad." + name, of.at(name).shape, std::span{values});
  heddle::checkpoint::write(path, entries);
}

template void write_answer<float>(std::string const&, problem<float> const&, answer<float> const&);
template void write_answer<double>(std::string const&, problem<double> const&, answer<double> const&);

}  // namespace probe
