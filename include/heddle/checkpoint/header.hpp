// SPDX-License-Identifier: Apache-2.0
// What a safetensors header says, and the rules about sizes and offsets that it must keep. No JSON here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <heddle/checkpoint/format_code.hpp>
#include <heddle/checkpoint/stored_dtype.hpp>
#include <heddle/placement/box.hpp>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// What a file may ask of its reader. The defaults hold every published model with room to spare.
struct strict_limits {
  std::uint64_t header_bytes = 100'000'000;  ///< as the reference implementation; also the limit of an index
  std::uint64_t metadata_bytes = 1U << 20U;  ///< keys and values of `__metadata__` together
  std::size_t name_bytes = 4096;
  std::size_t tensors = 1'000'000;
  std::size_t rank = 8;
  std::size_t depth = 4;              ///< nesting of objects and arrays; the format itself needs 3
  bool allow_unknown_fields = false;  ///< skip fields the format does not have, as the reference implementation does
  bool allow_links_out_of_folder = false;  ///< shards of an index may be links to anywhere
};

/// `__metadata__` of a file: strings by name.
using metadata_t = std::map<std::string, std::string>;

/// One tensor of a file: its bytes are [begin, end) of the data area.
struct tensor_record {
  std::string name;
  stored_dtype type{};
  shape_t shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t place = 0;  ///< where in the file the header names this tensor: the byte behind the name
};

/// A verdict on a file's bytes. `offset` is the byte of the file behind the token that broke the rule.
struct verdict {
  format_code code = format_code::none;
  std::uint64_t offset = 0;
  std::string text;
  /// Whether no rule was broken.
  [[nodiscard]] bool good() const { return code == format_code::none; }
};

/// Throws what a bad verdict on `path` says.
inline void require(verdict const& judged, std::string const& path) {
  if (judged.good()) return;
  fail(judged.code, path + ": " + judged.text + " (byte " + std::to_string(judged.offset) + ")",
       "fetch or write the file again; nothing was read from it");
}

/// Bytes of a tensor. The product runs over the axes that are not zero, so the order of axes does not matter.
struct tensor_size {
  format_code code = format_code::none;
  std::uint64_t bytes = 0;
};
/// Never throws: `code` is `overflow` beyond 64 bits, `partial_byte` where the elements do not fill whole bytes.
[[nodiscard]] inline tensor_size size_of_tensor(stored_dtype type, std::span<std::int64_t const> shape) {
  std::uint64_t bits = bits_of(type);
  bool empty = false;
  for (std::int64_t size : shape) {
    if (size == 0) empty = true;
    else if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(size), &bits)) return {format_code::overflow};
  }
  if (empty) return {};
  if (bits % 8 != 0) return {format_code::partial_byte};
  return {format_code::none, bits / 8};
}

/// The first 8 bytes: how long the header is. `first` holds as many of them as the file has.
struct header_length {
  verdict judged;
  std::uint64_t bytes = 0;
};
/// Reads the length and judges it by the size of the file and the limits. Never throws.
[[nodiscard]] inline header_length read_length(std::span<std::byte const> first, std::uint64_t file_size,
                                               strict_limits const& limits = {}) {
  if (file_size < 8 || first.size() < 8) {
    return {
        {format_code::too_small, file_size, "the file has " + std::to_string(file_size) + " bytes, a header needs 8"}};
  }
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8U | std::to_integer<std::uint64_t>(first[i]);
  if (length > limits.header_bytes) {
    return {{format_code::header_too_large, 8,
             "the header claims " + std::to_string(length) + " bytes, the limit is " +
                 std::to_string(limits.header_bytes)}};
  }
  if (length > file_size - 8) {
    return {{format_code::header_length, 8,
             "the header claims " + std::to_string(length) + " bytes, the file has " + std::to_string(file_size - 8) +
                 " behind its first 8"}};
  }
  return {{}, length};
}

/// Sorts the records by their place in the data and checks that they tile its `data_size` bytes.
[[nodiscard]] inline verdict tile(std::vector<tensor_record>& records, std::uint64_t data_size,
                                  std::uint64_t header_end) {
  std::sort(records.begin(), records.end(), [](tensor_record const& a, tensor_record const& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    return a.end != b.end ? a.end < b.end : a.name < b.name;
  });
  std::uint64_t reached = 0;
  for (tensor_record const& record : records) {
    auto const says = [&](format_code code, std::string const& wrong) {
      return verdict{code, record.place, "tensor " + shown(record.name) + wrong};
    };
    if (record.begin != reached) {
      return says(record.begin > reached ? format_code::hole : format_code::overlap,
                  " begins at " + std::to_string(record.begin) + " of the data, the one before it ends at " +
                      std::to_string(reached));
    }
    if (record.end > data_size) {
      return says(format_code::out_of_file, " ends at " + std::to_string(record.end) + " of the data, the file has " +
                                                std::to_string(data_size) + " bytes of data");
    }
    reached = record.end;
  }
  if (reached != data_size) {
    return {format_code::trailing_bytes, header_end + reached,
            std::to_string(data_size - reached) + " bytes behind the last tensor"};
  }
  return {};
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
