// SPDX-License-Identifier: Apache-2.0
// A folder that a save replaces in one step: shards under names of their own appear first, then the index that names
// them, and only then the shards of the save before go. Whoever stops in between leaves one whole save and leftovers,
// which the next save removes.
#pragma once

#include <dirent.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/shard_part.hpp>
#include <heddle/checkpoint/write.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Shards name their parts in their metadata, so it may be long.
[[nodiscard]] inline strict_limits shard_limits() {
  strict_limits limits;
  limits.metadata_bytes = 64U << 20U;
  return limits;
}

/// "model-00002-of-00004.safetensors": shard `index` (from 0) of `count` of the save that is called `save`.
[[nodiscard]] inline std::string shard_name(std::string const& save, std::size_t index, std::size_t count) {
  auto const five = [](std::size_t number) {
    std::string const digits = std::to_string(number);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return save + "-" + five(index + 1) + "-of-" + five(count) + ".safetensors";
}

namespace detail {

inline constexpr char const* index_name = "model.safetensors.index.json";

/// The save that a file name of `shard_name` belongs to; empty for other names.
[[nodiscard]] inline std::string save_of(std::string_view name) {
  constexpr std::string_view last = ".safetensors";
  if (!name.ends_with(last)) return {};
  name.remove_suffix(last.size());
  for (std::string_view const mark : {"-of-", "-"}) {
    std::size_t digits = 0;
    while (digits < name.size() && name[name.size() - 1 - digits] >= '0' && name[name.size() - 1 - digits] <= '9')
      ++digits;
    name.remove_suffix(digits);
    if (digits < 5 || !name.ends_with(mark)) return {};
    name.remove_suffix(mark.size());
  }
  return std::string{name};
}

/// The names in a folder. Throws io.
[[nodiscard]] inline std::vector<std::string> names_in(std::string const& folder) {
  DIR* const open_folder = ::opendir(folder.c_str());
  if (open_folder == nullptr) fail_io("read", folder, errno);
  std::vector<std::string> names;
  while (dirent const* const each = ::readdir(open_folder)) names.emplace_back(each->d_name);
  ::closedir(open_folder);
  return names;
}

/// Whether a complete file says of itself that it is a shard of this save.
[[nodiscard]] inline bool is_shard_of(std::string const& path, std::string const& save) {
  try {
    archive const shard = open_single(path, shard_limits());
    auto const mark = shard.metadata().find(std::string{save_key});
    return mark != shard.metadata().end() && mark->second == save;
  } catch (error const&) {
    return false;  // whatever it is, it is not ours to remove
  }
}

/// Removes what saves have left that the index does not name: temporary files, and shards that say they are one.
template <class Steps>
void remove_leftovers(std::string const& folder, std::string const& current, Steps& steps) {
  for (std::string const& name : names_in(folder)) {
    std::size_t const part = name.rfind(".part-");
    std::string const target = name.substr(0, part);
    std::string const save = save_of(target);
    bool const temporary = part != name.npos && (target == index_name || !save.empty());
    bool const shard = part == name.npos && !save.empty() && save != current && is_shard_of(folder + "/" + name, save);
    if (!temporary && !shard) continue;
    steps("remove");
    ::unlink((folder + "/" + name).c_str());  // what cannot go is in nobody's way
  }
}

/// The save that the index of a folder names; empty where there is no index, or another program's.
[[nodiscard]] inline std::string current_save(std::string const& folder) {
  std::string const path = folder + "/" + index_name;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  parsed_index const index = load_index(path, {});
  auto const mark = index.metadata.find(std::string{save_key});
  return mark == index.metadata.end() ? std::string{} : mark->second;
}

/// Makes the folder ready and chooses the name of a new save. Throws io, argument (a model.safetensors is there, which
/// every reader prefers to an index) and format (an index that cannot be read: it is not ours to replace).
template <class Steps>
[[nodiscard]] std::string begin_save(std::string const& folder, Steps& steps) {
  steps("create folder");
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail_io("create", folder, errno);
  struct stat facts {};
  if (::stat((folder + "/model.safetensors").c_str(), &facts) == 0) {
    throw error(error_kind::argument,
                "'" + folder + "' has a model.safetensors, which readers prefer to a sharded save",
                "save to another folder, or remove the file");
  }
  remove_leftovers(folder, current_save(folder), steps);
  metadata_t taken;
  for (std::string const& name : names_in(folder)) taken.try_emplace(save_of(name));
  std::string save = "model";
  for (int number = 2; taken.contains(save); ++number) save = "model-" + std::to_string(number);
  return save;
}

/// The one step that replaces the save before: the index of the new one. `files` maps tensors to shards.
template <class Steps>
void commit_save(std::string const& folder, std::string const& save, std::size_t shards, std::uint64_t bytes,
                 std::map<std::string, std::string> const& files, Steps& steps) {
  std::string json = "{\"metadata\":{\"total_size\":" + std::to_string(bytes) + ",";
  append_json_string(json, save_key);
  json += ':';
  append_json_string(json, save);
  json += ',';
  append_json_string(json, shards_key);
  json.append(":\"").append(std::to_string(shards)).append("\"},\n\"weight_map\":{");
  for (auto const& [tensor, name] : files) {
    if (json.back() != '{') json += ",\n";
    append_json_string(json, tensor);
    json += ':';
    append_json_string(json, name);
  }
  json += "}}\n";
  basic_atomic_file<Steps> index{folder + "/" + index_name, steps};
  index.write(std::as_bytes(std::span{json}));
  index.commit();
}

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
