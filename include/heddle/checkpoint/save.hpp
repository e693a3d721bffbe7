// SPDX-License-Identifier: Apache-2.0
// Saves what the ranks of a group hold: each writes one shard with what it owns, and an index makes them one
// checkpoint.
#pragma once

#include <heddle/checkpoint/roster.hpp>
#include <heddle/checkpoint/saved_folder.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// Rank 0 readies the folder and every rank learns the name of the save.
template <communicator Group, class Steps>
[[nodiscard]] std::string agree_on_save(Group& group, std::string const& folder, Steps& steps) {
  std::string save;
  group.agree([&] {
    if (group.rank() == 0) save = begin_save(folder, steps);
  });
  std::array<std::uint8_t, 64> letters{};
  std::copy(save.begin(), save.end(), letters.begin());
  group.template broadcast<std::uint8_t>(std::span<std::uint8_t>{letters}, 0);
  return reinterpret_cast<char const*>(letters.data());
}

/// Every shard is in its place: rank 0 names them in the index, then removes what the index named before.
template <communicator Group, class Steps>
void finish_save(Group& group, std::string const& folder, std::string const& save, std::size_t shards,
                 std::uint64_t bytes, std::map<std::string, std::string> const& files, Steps& steps) {
  group.agree([&] {
    if (group.rank() == 0) commit_save(folder, save, shards, bytes, files, steps);
  });
  group.agree([&] {
    if (group.rank() == 0) remove_leftovers(folder, save, steps);
  });
}

}  // namespace detail

/// Collective: writes `entries` of all ranks to `folder`, one safetensors shard a rank and
/// model.safetensors.index.json. Of a part that several ranks hold, the first of them writes it; parts may be uneven or
/// empty, together they must be the tensor. A shard with a part of a tensor says so in its metadata; where every tensor
/// is whole in one shard, the folder is one that any reader of Hugging Face's format reads.
///
/// The folder is created where it is missing. A save that is there stays as it is and readable until the last moment,
/// when the new index replaces the old one, and for good where anything fails before. Only one save at a time may run
/// on a folder; all ranks see the same file system, and the group's deadline is longer than the slowest shard takes.
/// Throws what `share_roster` throws, argument (the folder has a model.safetensors, names that cannot be), io; on the
/// other ranks `peer_failed`. `metadata` of a rank goes to its shard. `steps(name)` hears of every step on a file.
template <communicator Group, class Steps = no_steps>
void save(Group& group, std::string const& folder, std::span<shard_entry const> entries, metadata_t metadata = {},
          Steps steps = {}) {
  roster const all = share_roster(group, entries);
  std::string const name = detail::agree_on_save(group, folder, steps);
  auto const ranks = static_cast<std::size_t>(group.size());
  std::map<std::string, std::string> files;
  std::uint64_t bytes = 0;
  for (auto const& [tensor, shared] : all) {
    files[tensor] = shard_name(name, static_cast<std::size_t>(shared.parts.front().rank), ranks);
    bytes += static_cast<std::uint64_t>(heddle::detail::product_of(shared.shape)) * size_of(shared.type);
  }
  group.agree([&] {
    std::vector<tensor_entry> own;
    metadata.emplace("format", "pt");  // some loaders ask for it
    metadata[std::string{save_key}] = name;
    for (shard_entry const& entry : entries) {
      shared_tensor const& shared = all.at(entry.name);
      for (auto const& part : shared.parts) {
        if (part.rank != group.rank()) continue;
        own.push_back({entry.name, entry.type, part.where.shape(), entry.bytes});
        if (part.where == box::all(shared.shape)) continue;
        metadata[std::string{part_key} + entry.name] = text_of(shard_part{shared.shape, part.where});
      }
    }
    write(folder + "/" + shard_name(name, static_cast<std::size_t>(group.rank()), ranks), own, metadata, shard_limits(),
          steps);
  });
  detail::finish_save(group, folder, name, ranks, bytes, files, steps);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
