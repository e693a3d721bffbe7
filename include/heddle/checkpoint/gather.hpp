// SPDX-License-Identifier: Apache-2.0
// Writes what the ranks hold as a plain Hugging Face folder, in any layout: every tensor whole in one file. The ranks
// take turns as writers; a tensor passes chunk by chunk, so nobody ever holds a whole one.
#pragma once

#include <heddle/checkpoint/gather_file.hpp>
#include <heddle/checkpoint/save.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Sizes that `gather` keeps to.
struct gather_options {
  std::uint64_t file_bytes = std::uint64_t{5} << 30U;   ///< of the tensors in one file; a larger tensor has its own
  std::uint64_t chunk_bytes = std::uint64_t{8} << 20U;  ///< of a tensor that move at once
};

/// Collective: writes the tensors that `entries` of all ranks are parts of to `folder`, each whole, those of `changes`
/// in their new layout, in files of about `file_bytes` with an index; types stay as they are. File i is written by rank
/// i modulo the group's size, which gets the bytes chunk by chunk and holds about twice `chunk_bytes` besides its own
/// entries. All ranks pass the same `changes` and `options`. The folder is replaced as `save` replaces it, in one step
/// at the end. Throws as `save`, and shape where a layout does not fit the entries.
template <communicator Group, class Steps = no_steps>
void gather(Group& group, std::string const& folder, std::span<shard_entry const> entries,
            std::span<relayout const> changes = {}, metadata_t metadata = {}, gather_options const& options = {},
            Steps steps = {}) {
  roster const all = share_roster(group, entries);
  std::vector<std::span<std::uint8_t const>> own(all.size());
  for (shard_entry const& entry : entries) {
    own[all.at(entry.name).number] = {reinterpret_cast<std::uint8_t const*>(entry.bytes.data()), entry.bytes.size()};
  }
  auto const tensors = detail::gathered(all, changes);  // throws alike on every rank
  std::vector<std::vector<tensor_entry>> files(1);
  std::uint64_t total = 0, inside = 0;
  for (auto const& [name, tensor] : tensors) {
    tensor_entry entry{name, tensor.type, tensor.whole.shape, {}};
    std::uint64_t const bytes = static_cast<std::uint64_t>(tensor.whole.count()) * size_of(tensor.type);
    if (!files.back().empty() && inside + bytes > options.file_bytes) {
      files.emplace_back();
      inside = 0;
    }
    inside += bytes;
    total += bytes;
    files.back().push_back(std::move(entry));
  }
  std::string const save = detail::agree_on_save(group, folder, steps);
  metadata.emplace("format", "pt");
  metadata[std::string{save_key}] = save;
  std::map<std::string, std::string> index;
  for (std::size_t f = 0; f < files.size(); ++f) {
    std::string const name = shard_name(save, f, files.size());
    for (tensor_entry const& entry : files[f]) index[entry.name] = name;
    int const writer = static_cast<int>(f % static_cast<std::size_t>(group.size()));
    detail::gather_file(group, writer, folder + "/" + name, files[f], metadata, tensors, own, options.chunk_bytes,
                        steps);
  }
  detail::finish_save(group, folder, save, files.size(), total, index, steps);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
