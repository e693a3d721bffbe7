// SPDX-License-Identifier: Apache-2.0
// Every way in which a checkpoint file can be wrong has a code of its own. The library throws `heddle::error` of kind
// `format` whose text starts with "[safetensors.<code>] "; `code_of` reads the code back.
#pragma once

#include <cstdint>
#include <heddle/core/error.hpp>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// What is wrong with a file, or `none`.
enum class format_code : std::uint8_t {
  none,                   ///< nothing wrong
  too_small,              ///< fewer than the 8 bytes that hold the header's length
  header_too_large,       ///< the header's length is beyond the limit
  header_length,          ///< the header's length is beyond the end of the file
  utf8,                   ///< the header is not UTF-8 (overlong forms and surrogates included)
  json,                   ///< the header is not JSON
  depth,                  ///< objects and arrays nest deeper than the limit
  not_object,             ///< the header or a tensor's entry is not a JSON object
  duplicate_key,          ///< one object has the same key twice, after its escapes are decoded
  metadata,               ///< `__metadata__` is not an object of strings
  metadata_limit,         ///< `__metadata__` holds more bytes than the limit
  unknown_field,          ///< a field the format does not have
  missing_field,          ///< an entry without dtype, shape or data_offsets, an index without weight_map
  unknown_dtype,          ///< a dtype the format does not have
  bad_shape,              ///< shape is not an array of integers from 0 to 2^64 - 1
  rank_limit,             ///< more axes than the limit
  bad_name,               ///< a tensor name with a NUL in it
  name_limit,             ///< a name longer than the limit
  tensor_limit,           ///< more tensors than the limit
  overflow,               ///< elements or bytes of a shape do not fit 64 bits, zeros left out of the product
  partial_byte,           ///< a tensor of 4-bit or 6-bit elements that does not fill its last byte
  bad_offsets,            ///< data_offsets is not an array of two integers from 0 to 2^64 - 1
  reversed,               ///< data_offsets ends before it begins
  span_size,              ///< data_offsets is longer or shorter than shape and dtype ask
  hole,                   ///< bytes of the data that no tensor owns, before a tensor
  overlap,                ///< bytes of the data that two tensors own
  out_of_file,            ///< a tensor ends beyond the end of the file; a file that was cut
  trailing_bytes,         ///< bytes behind the last tensor; a file that has grown
  not_regular,            ///< a directory, a pipe, a device
  short_read,             ///< the file ended before the bytes that its size promised
  size_changed,           ///< the file's size changed while its header was read
  bad_bool,               ///< a BOOL byte that is neither 0 nor 1
  missing_tensor,         ///< the checkpoint has no tensor of this name
  index_weight_map,       ///< weight_map is not an object of strings
  index_file_name,        ///< a shard's file name is not a plain name inside the folder
  index_link,             ///< a shard is a link that leaves the folder
  index_missing_shard,    ///< the index names a file that is not there
  index_missing_tensor,   ///< the index promises a tensor that its shard does not hold
  index_unlisted_tensor,  ///< a shard holds a tensor that the index does not name
  index_two_shards,       ///< a tensor lies in two shards
  save_shards,            ///< the index of a save does not say in how many shards it is
  save_mixed,             ///< a shard that belongs to another save than its index
  part_of_save,           ///< a shard with parts of tensors, opened as if it were a whole checkpoint
  part_text,              ///< the metadata of a part is not a shape and ranges
  part_unknown,           ///< metadata of a part of a tensor that the shard does not hold
  part_outside,           ///< ranges of a part beyond the whole tensor
  part_shape,             ///< a part that has another shape than its ranges
  part_disagree,          ///< parts of one tensor that differ in its shape or dtype
  part_overlap,           ///< two parts of a tensor own the same element
  part_hole,              ///< elements of a tensor that no part owns
};
/// How many codes there are.
inline constexpr int format_codes = static_cast<int>(format_code::part_hole) + 1;

/// The name that stands in the text of the error.
[[nodiscard]] constexpr std::string_view name_of(format_code code) {
  switch (code) {
    case format_code::none: return "none";
    case format_code::too_small: return "too_small";
    case format_code::header_too_large: return "header_too_large";
    case format_code::header_length: return "header_length";
    case format_code::utf8: return "utf8";
    case format_code::json: return "json";
    case format_code::depth: return "depth";
    case format_code::not_object: return "not_object";
    case format_code::duplicate_key: return "duplicate_key";
    case format_code::metadata: return "metadata";
    case format_code::metadata_limit: return "metadata_limit";
    case format_code::unknown_field: return "unknown_field";
    case format_code::missing_field: return "missing_field";
    case format_code::unknown_dtype: return "unknown_dtype";
    case format_code::bad_shape: return "bad_shape";
    case format_code::rank_limit: return "rank_limit";
    case format_code::bad_name: return "bad_name";
    case format_code::name_limit: return "name_limit";
    case format_code::tensor_limit: return "tensor_limit";
    case format_code::overflow: return "overflow";
    case format_code::partial_byte: return "partial_byte";
    case format_code::bad_offsets: return "bad_offsets";
    case format_code::reversed: return "reversed";
    case format_code::span_size: return "span_size";
    case format_code::hole: return "hole";
    case format_code::overlap: return "overlap";
    case format_code::out_of_file: return "out_of_file";
    case format_code::trailing_bytes: return "trailing_bytes";
    case format_code::not_regular: return "not_regular";
    case format_code::short_read: return "short_read";
    case format_code::size_changed: return "size_changed";
    case format_code::bad_bool: return "bad_bool";
    case format_code::missing_tensor: return "missing_tensor";
    case format_code::index_weight_map: return "index_weight_map";
    case format_code::index_file_name: return "index_file_name";
    case format_code::index_link: return "index_link";
    case format_code::index_missing_shard: return "index_missing_shard";
    case format_code::index_missing_tensor: return "index_missing_tensor";
    case format_code::index_unlisted_tensor: return "index_unlisted_tensor";
    case format_code::index_two_shards: return "index_two_shards";
    case format_code::save_shards: return "save_shards";
    case format_code::save_mixed: return "save_mixed";
    case format_code::part_of_save: return "part_of_save";
    case format_code::part_text: return "part_text";
    case format_code::part_unknown: return "part_unknown";
    case format_code::part_outside: return "part_outside";
    case format_code::part_shape: return "part_shape";
    case format_code::part_disagree: return "part_disagree";
    case format_code::part_overlap: return "part_overlap";
    case format_code::part_hole: return "part_hole";
  }
  return "unknown";
}

/// Throws the error for `code`; `text` says what is wrong, with the file and the numbers.
[[noreturn]] inline void fail(format_code code, std::string const& text, std::string hint = {}) {
  throw error(error_kind::format, std::string{"[safetensors."}.append(name_of(code)).append("] ").append(text),
              std::move(hint));
}

/// The code an error of this module carries; `none` where the error comes from elsewhere.
[[nodiscard]] inline format_code code_of(error const& failure) {
  std::string_view text = failure.text();
  constexpr std::string_view mark = "[safetensors.";
  if (failure.kind() != error_kind::format || !text.starts_with(mark)) return format_code::none;
  text.remove_prefix(mark.size());
  text = text.substr(0, text.find(']'));
  for (int c = 1; c < format_codes; ++c) {
    if (name_of(static_cast<format_code>(c)) == text) return static_cast<format_code>(c);
  }
  return format_code::none;
}

/// A name from a file, for a message: quoted, control bytes escaped, long ones cut.
[[nodiscard]] inline std::string shown(std::string_view name) {
  constexpr std::size_t longest = 120;
  std::string result = "'";
  for (std::size_t i = 0; i < name.size(); ++i) {
    auto const byte = static_cast<unsigned char>(name[i]);
    if (i >= longest && (byte & 0xc0U) != 0x80U) return result + "...'";  // never inside a UTF-8 sequence
    if (byte >= 0x20 && byte != 0x7f && byte != '\'' && byte != '\\') {
      result += name[i];
    } else {
      constexpr char const* digits = "0123456789abcdef";
      result.append("\\x") += digits[byte >> 4U];
      result += digits[byte & 0xfU];
    }
  }
  return result + "'";
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
