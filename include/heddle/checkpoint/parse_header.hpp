// SPDX-License-Identifier: Apache-2.0
// The JSON header of a safetensors file, read strictly: what the format does not define is an error, not a guess.
#pragma once

#include <heddle/checkpoint/json_events.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// What a header says, or why it is refused. `tensors` stand in the order of their data.
struct parsed_header {
  verdict judged;
  std::vector<tensor_record> tensors;
  metadata_t metadata;
};

namespace detail {

class header_document : public json_events<header_document> {
 public:
  using json_events::json_events;
  parsed_header result;

  bool opened(bool object) {
    if (depth() == 0) return object || refuse(format_code::not_object, "the header is an array, not an object");
    if (depth() == 1) {
      in_metadata_ = key_at(1) == "__metadata__";
      if (!object) return wrong_entry();
      if (in_metadata_) return true;
      if (result.tensors.size() == limits().tensors) {
        return refuse(format_code::tensor_limit, "more than " + std::to_string(limits().tensors) + " tensors");
      }
      entry_ = {};
      entry_.name = key_at(1);
      entry_.place = place_at(1);
      has_dtype_ = has_shape_ = has_offsets_ = false;
      return true;
    }
    if (in_metadata_) return wrong_metadata();
    if (field_ == field::unknown) return true;
    if (depth() == 2 && !object && field_ == field::shape) return has_shape_ = true;
    if (depth() == 2 && !object && field_ == field::offsets) return has_offsets_ = true;
    return wrong_field();
  }

  bool closed() {
    if (depth() == 2 && !in_metadata_ && field_ == field::offsets && offsets_ != 2) return wrong_field();
    return depth() != 1 || in_metadata_ || finish_entry();
  }

  bool keyed() {
    if (depth() == 1) {
      if (key_at(1).find('\0') != std::string::npos) return refuse(format_code::bad_name, "a name holds a NUL");
    } else if (depth() == 2 && in_metadata_) {
      return count_metadata(key_at(2).size());
    } else if (depth() == 2) {
      std::string const& key = key_at(2);
      field_ = key == "dtype"          ? field::dtype
               : key == "shape"        ? field::shape
               : key == "data_offsets" ? field::offsets
                                       : field::unknown;
      if (field_ == field::shape) entry_.shape.clear();
      if (field_ == field::offsets) offsets_ = 0;
      if (field_ == field::unknown && !limits().allow_unknown_fields) {
        return refuse(format_code::unknown_field, entry() + " has a field " + shown(key));
      }
    }
    return true;
  }

  bool value(json_scalar const& scalar) {
    bool const is_text = scalar.what == json_scalar::kind::text;
    if (depth() == 0) return refuse(format_code::not_object, "the header is not an object");
    if (depth() == 1) return in_metadata_ = key_at(1) == "__metadata__", wrong_entry();
    if (in_metadata_) {
      if (!is_text) return wrong_metadata();
      std::size_t const bytes = scalar.text->size();
      result.metadata.insert_or_assign(key_at(2), std::move(*scalar.text));
      return count_metadata(bytes);
    }
    switch (field_) {
      case field::dtype: return is_text ? take_dtype(*scalar.text) : wrong_field();
      case field::shape: return depth() == 3 ? take_size(scalar) : wrong_field();
      case field::offsets: return depth() == 3 ? take_offset(scalar) : wrong_field();
      case field::unknown: return true;
    }
    return false;
  }

 private:
  enum class field { dtype, shape, offsets, unknown };

  [[nodiscard]] std::string entry() const { return "tensor " + shown(entry_.name); }
  bool wrong_metadata() { return refuse(format_code::metadata, "__metadata__ is not an object of strings"); }
  bool wrong_entry() {
    if (in_metadata_) return wrong_metadata();
    return refuse(format_code::not_object, "the entry of tensor " + shown(key_at(1)) + " is not an object");
  }
  bool wrong_field() {
    switch (field_) {
      case field::dtype: return refuse(format_code::unknown_dtype, entry() + ": dtype is not a string");
      case field::shape: return refuse(format_code::bad_shape, entry() + ": shape is not an array of sizes");
      case field::offsets: return refuse(format_code::bad_offsets, entry() + ": data_offsets is not [begin, end]");
      case field::unknown: break;
    }
    return false;
  }
  bool count_metadata(std::size_t bytes) {
    metadata_bytes_ += bytes;
    if (metadata_bytes_ <= limits().metadata_bytes) return true;
    return refuse(format_code::metadata_limit,
                  "__metadata__ has more than " + std::to_string(limits().metadata_bytes) + " bytes");
  }
  bool take_dtype(std::string const& name) {
    auto const type = stored_dtype_named(name);
    if (!type) return refuse(format_code::unknown_dtype, entry() + " has the dtype " + shown(name));
    entry_.type = *type;
    return has_dtype_ = true;
  }
  bool take_size(json_scalar const& scalar) {
    if (scalar.what != json_scalar::kind::whole) return wrong_field();
    if (scalar.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse(format_code::overflow, entry() + " has an axis of " + std::to_string(scalar.number));
    }
    if (entry_.shape.size() == limits().rank) {
      return refuse(format_code::rank_limit, entry() + " has more than " + std::to_string(limits().rank) + " axes");
    }
    entry_.shape.push_back(static_cast<std::int64_t>(scalar.number));
    return true;
  }
  bool take_offset(json_scalar const& scalar) {
    if (scalar.what != json_scalar::kind::whole || offsets_ == 2) return wrong_field();
    (offsets_++ == 0 ? entry_.begin : entry_.end) = scalar.number;
    return true;
  }
  bool finish_entry() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_) {
      char const* const lacks = !has_dtype_ ? "dtype" : !has_shape_ ? "shape" : "data_offsets";
      return refuse(format_code::missing_field, entry() + " has no " + lacks);
    }
    if (entry_.begin > entry_.end) {
      return refuse(format_code::reversed, entry() + ": data_offsets ends before it begins");
    }
    tensor_size const size = size_of_tensor(entry_.type, entry_.shape);
    if (size.code == format_code::overflow) return refuse(size.code, entry() + ": the size of its shape overflows");
    if (size.code != format_code::none) return refuse(size.code, entry() + " does not fill its last byte");
    if (entry_.end - entry_.begin != size.bytes) {
      return refuse(format_code::span_size, entry() + " has " + std::to_string(entry_.end - entry_.begin) +
                                                " bytes, shape and dtype ask for " + std::to_string(size.bytes));
    }
    result.tensors.push_back(std::move(entry_));
    return true;
  }

  tensor_record entry_;
  field field_ = field::unknown;
  bool in_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int offsets_ = 0;
  std::uint64_t metadata_bytes_ = 0;
};

}  // namespace detail

/// Reads the header `text`, the bytes behind the first 8 of a file of `file_size` bytes. Never throws on bad input.
[[nodiscard]] inline parsed_header parse_header(std::span<std::byte const> text, std::uint64_t file_size,
                                                strict_limits const& limits = {}) {
  detail::header_document document{text, 8, limits};
  document.run();
  document.result.judged = document.judged();
  if (document.result.judged.good()) {
    std::uint64_t const end = 8 + static_cast<std::uint64_t>(text.size());
    document.result.judged = tile(document.result.tensors, file_size - end, end);
  }
  return std::move(document.result);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
