// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file, tensor by tensor from the caller's memory: the only copy made is the header.
#pragma once

#include <algorithm>
#include <heddle/checkpoint/atomic_file.hpp>
#include <heddle/checkpoint/header.hpp>
#include <heddle/checkpoint/utf8.hpp>
#include <heddle/core/dtype.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// A tensor to write: dense, row-major, little-endian; `bytes` is the caller's memory.
struct tensor_entry {
  std::string name;
  dtype type{};
  shape_t shape;
  std::span<std::byte const> bytes;
};

namespace detail {

inline void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  for (char letter : text) {
    auto const byte = static_cast<unsigned char>(letter);
    if (byte < 0x20) {
      constexpr char const* digits = "0123456789abcdef";
      json.append("\\u00") += digits[byte >> 4U];
      json += digits[byte & 0xfU];
    } else {
      if (letter == '"' || letter == '\\') json += '\\';
      json += letter;
    }
  }
  json += '"';
}

/// Throws unless a strict reader would accept the tensors; `sorted` is by name.
inline void require_writable(std::span<tensor_entry const* const> sorted, strict_limits const& limits) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    tensor_entry const& entry = *sorted[i];
    std::string const who = "tensor " + shown(entry.name);
    bool const named = entry.name != "__metadata__" && entry.name.size() <= limits.name_bytes &&
                       entry.name.find('\0') == std::string::npos && first_bad_utf8(entry.name) == entry.name.size();
    if (!named) {
      throw error(
          error_kind::argument, who + " cannot have this name",
          "names are UTF-8 without NUL, up to " + std::to_string(limits.name_bytes) + " bytes, and not __metadata__");
    }
    if (i > 0 && sorted[i - 1]->name == entry.name) throw error(error_kind::argument, who + " is there twice");
    tensor_size const size = size_of_tensor(*stored_dtype_named(name_of(entry.type)), entry.shape);
    bool const good = entry.shape.size() <= limits.rank && size.code == format_code::none &&
                      std::all_of(entry.shape.begin(), entry.shape.end(), [](std::int64_t axis) { return axis >= 0; });
    if (!good) {
      throw error(error_kind::shape, who + " of " + std::to_string(entry.shape.size()) + " axes cannot be stored",
                  "a shape has at most " + std::to_string(limits.rank) + " axes, none negative");
    }
  }
}

/// Bytes of a tensor that `require_writable` has passed.
[[nodiscard]] inline std::uint64_t bytes_of(tensor_entry const& entry) {
  return size_of_tensor(*stored_dtype_named(name_of(entry.type)), entry.shape).bytes;
}

inline void require_writable(metadata_t const& metadata, strict_limits const& limits) {
  std::uint64_t bytes = 0;
  for (auto const& [key, value] : metadata) {
    bytes += key.size() + value.size();
    if (key.size() > limits.name_bytes || first_bad_utf8(key) != key.size() || first_bad_utf8(value) != value.size()) {
      throw error(error_kind::argument, "metadata " + shown(key) + " is not UTF-8, or its key is too long");
    }
  }
  if (bytes > limits.metadata_bytes) {
    throw error(error_kind::argument,
                std::to_string(bytes) + " bytes of metadata, the limit is " + std::to_string(limits.metadata_bytes));
  }
}

/// The first bytes of the file: length and header, padded with spaces so that the data begins at a multiple of 8.
[[nodiscard]] inline std::string header_text(std::span<tensor_entry const* const> order, metadata_t const& metadata) {
  std::string json(8, '\0');
  json += '{';
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (auto const& [key, value] : metadata) {
      if (json.back() != '{') json += ',';
      append_json_string(json, key);
      json += ':';
      append_json_string(json, value);
    }
    json += '}';
  }
  std::uint64_t offset = 0;
  for (tensor_entry const* const entry : order) {
    if (json.back() != '{') json += ',';
    append_json_string(json, entry->name);
    json.append(":{\"dtype\":\"").append(name_of(entry->type)).append("\",\"shape\":[");
    for (std::size_t a = 0; a < entry->shape.size(); ++a) {
      json.append(a == 0 ? "" : ",").append(std::to_string(entry->shape[a]));
    }
    json.append("],\"data_offsets\":[").append(std::to_string(offset)).append(",");
    offset += bytes_of(*entry);
    json.append(std::to_string(offset)).append("]}");
  }
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');
  for (std::size_t i = 0; i < 8; ++i) json[i] = static_cast<char>((json.size() - 8) >> 8 * i & 0xffU);
  return json;
}

/// Everything about a file but its data: the order of its tensors, and its first bytes.
struct file_plan {
  std::vector<tensor_entry const*> order;
  std::string header;
};
[[nodiscard]] inline file_plan plan_file(std::span<tensor_entry const> tensors, metadata_t const& metadata,
                                         strict_limits const& limits) {
  file_plan result;
  for (tensor_entry const& entry : tensors) result.order.push_back(&entry);
  std::sort(result.order.begin(), result.order.end(), [](auto const* a, auto const* b) { return a->name < b->name; });
  require_writable(result.order, limits);
  require_writable(metadata, limits);
  std::stable_sort(result.order.begin(), result.order.end(),
                   [](auto const* a, auto const* b) { return size_of(a->type) > size_of(b->type); });
  result.header = header_text(result.order, metadata);
  if (result.header.size() - 8 > limits.header_bytes || tensors.size() > limits.tensors) {
    throw error(error_kind::argument, std::to_string(tensors.size()) + " tensors and a header of " +
                                          std::to_string(result.header.size()) +
                                          " bytes are beyond the format's limits");
  }
  return result;
}

}  // namespace detail

/// Writes `tensors` and `metadata` to `path`. In the file the tensors stand by falling element size, then by name, so
/// that each is aligned to its element. A file that is already there is replaced in one step, and stays as it is where
/// anything fails. Throws argument (names), shape (bytes that do not fit the shape), io.
template <class Steps = no_steps>
void write(std::string const& path, std::span<tensor_entry const> tensors, metadata_t const& metadata = {},
           strict_limits const& limits = {}, Steps steps = {}) {
  detail::file_plan const plan = detail::plan_file(tensors, metadata, limits);
  for (tensor_entry const& entry : tensors) {
    if (detail::bytes_of(entry) == entry.bytes.size()) continue;
    throw error(error_kind::shape, "tensor " + shown(entry.name) + " has " + std::to_string(entry.bytes.size()) +
                                       " bytes, its shape and dtype ask for " +
                                       std::to_string(detail::bytes_of(entry)));
  }
  basic_atomic_file<Steps> target{path, steps};
  target.write(std::as_bytes(std::span{plan.header}));
  for (tensor_entry const* const entry : plan.order) target.write(entry->bytes);
  target.commit();
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
