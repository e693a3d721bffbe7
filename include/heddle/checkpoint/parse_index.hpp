// SPDX-License-Identifier: Apache-2.0
// model.safetensors.index.json: which shard holds which tensor.
#pragma once

#include <heddle/checkpoint/json_events.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// What `parse_index` found; `files` counts only where `judged` is good.
struct parsed_index {
  verdict judged;
  std::map<std::string, std::string> files;  ///< tensor name -> file name, one plain component
  metadata_t metadata;                       ///< the strings directly inside "metadata"; anything else there is skipped
};

/// True for a name that cannot lead out of its folder: one component, no separator of any system, no NUL.
[[nodiscard]] inline bool is_plain_file_name(std::string const& name) {
  if (name.empty() || name == "." || name == ".." || name.size() > 255) return false;
  for (char letter : name) {
    if (letter == '/' || letter == '\\' || letter == ':' || static_cast<unsigned char>(letter) < 0x20) return false;
  }
  return true;
}

namespace detail {

class index_document : public json_events<index_document> {
 public:
  using json_events::json_events;
  parsed_index result;

  bool opened(bool object) {
    if (depth() == 0) return object || refuse(format_code::not_object, "the index is an array, not an object");
    if (depth() == 1) facts_ = object && key_at(1) == "metadata";
    if (depth() == 1 && in_map_) return found_ = object || wrong_map();
    return !in_map_ || wrong_map();
  }
  bool closed() { return depth() != 0 || found_ || refuse(format_code::missing_field, "the index has no weight_map"); }
  bool keyed() {
    if (depth() == 1) {
      in_map_ = key_at(1) == "weight_map";
      if (!in_map_ && key_at(1) != "metadata" && !limits().allow_unknown_fields) {
        return refuse(format_code::unknown_field, "the index has a field " + shown(key_at(1)));
      }
    } else if (in_map_) {
      if (key_at(2).find('\0') != std::string::npos) return refuse(format_code::bad_name, "a name holds a NUL");
      if (++tensors_ > limits().tensors) {
        return refuse(format_code::tensor_limit, "more than " + std::to_string(limits().tensors) + " tensors");
      }
    }
    return true;
  }
  bool value(json_scalar const& scalar) {
    if (depth() == 0) return refuse(format_code::not_object, "the index is not an object");
    if (!in_map_) {
      bool const fact = depth() == 2 && facts_ && scalar.what == json_scalar::kind::text;
      if (fact) result.metadata.insert_or_assign(key_at(2), std::move(*scalar.text));
      return true;
    }
    if (depth() == 1 || scalar.what != json_scalar::kind::text) return wrong_map();
    if (!is_plain_file_name(*scalar.text)) {
      return refuse(format_code::index_file_name, "the file name " + shown(*scalar.text) + " is not a plain name");
    }
    result.files.insert_or_assign(key_at(2), std::move(*scalar.text));
    return true;
  }

 private:
  bool wrong_map() { return refuse(format_code::index_weight_map, "weight_map is not an object of file names"); }

  bool in_map_ = false, found_ = false, facts_ = false;
  std::size_t tensors_ = 0;
};

}  // namespace detail

/// Reads an index. Never throws on bad input. The "metadata" field may hold anything: published files often have a
/// total_size that is wrong.
[[nodiscard]] inline parsed_index parse_index(std::span<std::byte const> text, strict_limits const& limits = {}) {
  detail::index_document document{text, 0, limits};
  document.run();
  document.result.judged = document.judged();
  return std::move(document.result);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
