// SPDX-License-Identifier: Apache-2.0
// Opens a checkpoint: one safetensors file, or a model folder with one file or an index and its shards.
#pragma once

#include <array>
#include <climits>
#include <cstdlib>
#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/parse_header.hpp>
#include <heddle/checkpoint/parse_index.hpp>
#include <heddle/checkpoint/shard_part.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// Header of one file, checked against the size the file has.
[[nodiscard]] inline parsed_header load_header(file const& from, strict_limits const& limits) {
  std::array<std::byte, 8> first{};
  std::size_t const have = from.size() < 8 ? static_cast<std::size_t>(from.size()) : 8;
  from.read(0, std::span{first}.first(have));
  header_length const length = read_length(std::span{first}.first(have), from.size(), limits);
  require(length.judged, from.path());
  std::vector<std::byte> text(static_cast<std::size_t>(length.bytes));  // checked: not beyond the file or the limit
  from.read(8, text);
  parsed_header header = parse_header(text, from.size(), limits);
  from.require_unchanged();
  require(header.judged, from.path());
  return header;
}

/// Adds a file's tensors. The data area starts behind the header, and the last tensor ends with the file.
inline void append(std::vector<tensor_info>& tensors, parsed_header&& header, file const& from, std::size_t number) {
  std::uint64_t const data = from.size() - (header.tensors.empty() ? 0 : header.tensors.back().end);
  tensors.reserve(tensors.size() + header.tensors.size());
  for (tensor_record& record : header.tensors) {
    tensors.push_back({std::move(record.name), record.type, std::move(record.shape), number, data + record.begin,
                       record.end - record.begin});
  }
}

[[nodiscard]] inline std::string parent_of(std::string const& path) {
  std::size_t const slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// The path without links; empty where there is no such file.
[[nodiscard]] inline std::string resolved(std::string const& path) {
  char* const full = ::realpath(path.c_str(), nullptr);
  if (full == nullptr) return {};
  std::string result = full;
  std::free(full);
  return result;
}

/// The folder that shards may not leave. A model inside the Hugging Face cache, <model>/snapshots/<revision>/, links to
/// <model>/blobs/: there the boundary is <model>.
[[nodiscard]] inline std::string boundary_of(std::string const& folder) {
  std::string const parent = parent_of(resolved(folder));
  bool const in_cache = parent.ends_with("/snapshots");
  return in_cache ? parent_of(parent) : resolved(folder);
}

[[nodiscard]] inline archive open_single(std::string const& path, strict_limits const& limits) {
  std::vector<file> files;
  files.emplace_back(path);
  parsed_header header = load_header(files[0], limits);
  std::vector<tensor_info> tensors;
  metadata_t metadata = std::move(header.metadata);
  append(tensors, std::move(header), files[0], 0);
  return {std::move(files), std::move(tensors), std::move(metadata)};
}

/// Opens one shard that an index names.
[[nodiscard]] inline file open_shard(std::string const& folder, std::string const& name, strict_limits const& limits) {
  std::string const path = folder + "/" + name;
  std::string const target = resolved(path);
  if (target.empty()) {
    fail(format_code::index_missing_shard, folder + ": the index names " + shown(name) + ", which is not there");
  }
  std::string const boundary = boundary_of(folder);
  if (!limits.allow_links_out_of_folder && !target.starts_with(boundary == "/" ? boundary : boundary + "/")) {
    fail(format_code::index_link, path + ": a link that leaves the folder",
         "copy the shards into one folder, or set strict_limits::allow_links_out_of_folder");
  }
  return file{path};
}

/// Reads and judges an index.
[[nodiscard]] inline parsed_index load_index(std::string const& path, strict_limits const& limits) {
  file const source{path};
  if (source.size() > limits.header_bytes) {
    fail(format_code::header_too_large, path + ": an index of " + std::to_string(source.size()) + " bytes");
  }
  std::vector<std::byte> text(static_cast<std::size_t>(source.size()));
  source.read(0, text);
  source.require_unchanged();
  parsed_index index = parse_index(text, limits);
  require(index.judged, path);
  return index;
}

[[nodiscard]] inline archive open_index(std::string const& path, strict_limits const& limits) {
  parsed_index index = load_index(path, limits);
  std::string const folder = parent_of(path);
  std::map<std::string_view, std::size_t> numbers;  // file name -> position, in the order of names
  for (auto const& [tensor, name] : index.files) numbers.emplace(name, 0);
  std::vector<file> files;
  std::vector<tensor_info> tensors;
  metadata_t metadata;
  for (auto& [name, number] : numbers) {
    number = files.size();
    files.push_back(open_shard(folder, std::string{name}, limits));
    parsed_header header = load_header(files.back(), limits);
    for (tensor_record const& record : header.tensors) {
      auto const listed = index.files.find(record.name);
      if (listed == index.files.end()) {
        fail(format_code::index_unlisted_tensor,
             path + ": shard " + shown(name) + " holds " + shown(record.name) + ", which the index does not name");
      }
      if (listed->second != name) {
        fail(format_code::index_two_shards, path + ": tensor " + shown(record.name) + " lies in " + shown(name) +
                                                " and by the index in " + shown(listed->second));
      }
    }
    metadata.merge(header.metadata);
    append(tensors, std::move(header), files.back(), number);
  }
  // Every tensor found is listed, and none twice: so only a listed one can be missing.
  if (tensors.size() != index.files.size()) {
    for (tensor_info const& tensor : tensors) index.files.erase(tensor.name);
    auto const& [tensor, name] = *index.files.begin();
    fail(format_code::index_missing_tensor,
         path + ": the index promises " + shown(tensor) + " in " + shown(name) + ", which does not hold it");
  }
  return {std::move(files), std::move(tensors), std::move(metadata)};
}

[[nodiscard]] inline archive open_any(std::string const& path, strict_limits const& limits = {}) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) fail_io("open", path, errno);
  if (!S_ISDIR(facts.st_mode)) {
    return path.ends_with(".index.json") ? open_index(path, limits) : open_single(path, limits);
  }
  std::string const single = path + "/model.safetensors";
  std::string const index = single + ".index.json";
  if (::stat(single.c_str(), &facts) == 0) return open_single(single, limits);
  if (::stat(index.c_str(), &facts) == 0) return open_index(index, limits);
  throw error(error_kind::io, "'" + path + "' has neither model.safetensors nor model.safetensors.index.json",
              "name a folder that a Hugging Face model was saved to, or a safetensors file");
}

}  // namespace detail

/// Opens `path`: a safetensors file, a *.index.json, or a folder with model.safetensors or, where that is missing,
/// model.safetensors.index.json. All headers are read and checked; no tensor data is read. A save whose tensors lie in
/// parts is `part_of_save`: `open_parts` reads it.
[[nodiscard]] inline archive open(std::string const& path, strict_limits const& limits = {}) {
  archive model = detail::open_any(path, limits);
  auto const part = model.metadata().lower_bound(std::string{part_key});
  if (part == model.metadata().end() || !part->first.starts_with(part_key)) return model;
  fail(format_code::part_of_save,
       path + ": holds a part of tensor " + shown(std::string_view{part->first}.substr(part_key.size())) + " only",
       "open the folder of the save with open_parts");
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
