// SPDX-License-Identifier: Apache-2.0
// Opens a checkpoint in either form: the shards of a save, whose tensors lie in parts, or a Hugging Face model.
#pragma once

#include <heddle/checkpoint/part_archive.hpp>
#include <heddle/checkpoint/saved_folder.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// The shards of the save that an index names; each must say that it belongs to it.
[[nodiscard]] inline std::vector<archive> open_save(std::string const& index, parsed_index const& parsed,
                                                    strict_limits const& limits) {
  std::string const& save = parsed.metadata.at(std::string{save_key});
  auto const said = parsed.metadata.find(std::string{shards_key});
  std::string_view digits = said == parsed.metadata.end() ? std::string_view{} : said->second;
  std::int64_t shards = 0;
  bool const counted = take_number(digits, shards) && digits.empty() && shards >= 1 && shards <= 1'000'000;
  if (!counted || !is_plain_file_name(shard_name(save, 0, 1))) {
    fail(format_code::save_shards, index + ": the save " + shown(save) + " does not say in how many shards it is");
  }
  std::vector<archive> files;
  for (std::size_t i = 0; i < static_cast<std::size_t>(shards); ++i) {
    std::string const name = shard_name(save, i, static_cast<std::size_t>(shards));
    std::string const path =
        open_shard(parent_of(index), name, limits).path();  // a missing one has an error of its own
    files.push_back(open_single(path, limits));
    auto const own = files.back().metadata().find(std::string{save_key});
    if (own != files.back().metadata().end() && own->second == save) continue;
    fail(format_code::save_mixed, index + ": shard " + shown(name) + " does not belong to the save " + shown(save));
  }
  return files;
}

/// Throws unless the index lists exactly the tensors that the shards hold.
inline void require_listed(std::string const& index, parsed_index const& parsed, part_archive const& held) {
  for (auto const& [tensor, name] : parsed.files) {
    if (held.find(tensor) != nullptr) continue;
    fail(format_code::index_missing_tensor, index + ": the index promises " + shown(tensor) + ", which no shard holds");
  }
  for (parted_tensor const& tensor : held.tensors()) {
    if (parsed.files.contains(tensor.name)) continue;
    fail(format_code::index_unlisted_tensor,
         index + ": a shard holds " + shown(tensor.name) + ", which the index does not name");
  }
}

}  // namespace detail

/// Opens a folder that `save` or `gather` has written, its index, or whatever `open` opens. All headers are read and
/// checked; no tensor data is read. Throws format and io.
[[nodiscard]] inline part_archive open_parts(std::string const& path, strict_limits limits = {}) {
  limits.metadata_bytes = std::max(limits.metadata_bytes, shard_limits().metadata_bytes);
  struct stat facts {};
  bool const folder = ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
  std::string const index = folder ? path + "/" + detail::index_name : path;
  bool const single = folder && ::stat((path + "/model.safetensors").c_str(), &facts) == 0;
  if (!single && index.ends_with(".index.json") && ::stat(index.c_str(), &facts) == 0) {
    parsed_index const parsed = detail::load_index(index, limits);
    if (parsed.metadata.contains(std::string{save_key})) {
      part_archive result{detail::open_save(index, parsed, limits), path};
      detail::require_listed(index, parsed, result);
      return result;
    }
  }
  std::vector<archive> files;
  files.push_back(open(path, limits));
  return {std::move(files), path};
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
