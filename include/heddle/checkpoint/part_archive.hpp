// SPDX-License-Identifier: Apache-2.0
// A checkpoint whose tensors may lie in parts: the folder of a save, under any mesh, or any other checkpoint, where
// every tensor is one part. The parts of a tensor are checked to be all of it, each element once.
#pragma once

#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/shard_part.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// The box `where` of a tensor, in a file.
struct stored_part {
  box where;
  std::size_t file = 0;                 ///< index for `part_archive::file`
  tensor_info const* stored = nullptr;  ///< there; dense, of shape where.shape()
};

/// One tensor of a checkpoint and where its parts are.
struct parted_tensor {
  std::string name;
  stored_dtype type{};
  shape_t shape;  ///< of the whole tensor
  std::vector<stored_part> parts;
};

/// Made by `open_parts`. Threads may share one.
class part_archive {
 public:
  /// Takes archives whose tensors are whole, or say in their metadata which part they are. `where` is for messages.
  part_archive(std::vector<archive> files, std::string const& where) : files_{std::move(files)} {
    std::map<std::string, parted_tensor> found;
    for (std::size_t number = 0; number < files_.size(); ++number) add(found, number, where);
    for (auto& [name, tensor] : found) {
      require_tiling(tensor, where);
      tensors_.push_back(std::move(tensor));
    }
  }

  /// All tensors, sorted by name.
  [[nodiscard]] std::span<parted_tensor const> tensors() const { return tensors_; }
  /// The tensor of this name, or nullptr.
  [[nodiscard]] parted_tensor const* find(std::string_view name) const {
    auto const at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                     [](parted_tensor const& a, std::string_view b) { return a.name < b; });
    return at != tensors_.end() && at->name == name ? &*at : nullptr;
  }
  /// The tensor of this name; throws `missing_tensor`.
  [[nodiscard]] parted_tensor const& at(std::string_view name) const {
    if (parted_tensor const* const tensor = find(name)) return *tensor;
    fail(format_code::missing_tensor,
         "the checkpoint has no tensor " + shown(name) + " among its " + std::to_string(tensors_.size()),
         "check that the layout and the files belong to the same model");
  }
  /// The file that `stored_part::file` numbers.
  [[nodiscard]] archive const& file(std::size_t number) const { return files_[number]; }
  /// Bytes of tensor data read so far, from all files, by all threads.
  [[nodiscard]] std::uint64_t bytes_read() const {
    std::uint64_t sum = 0;
    for (archive const& each : files_) sum += each.bytes_read();
    return sum;
  }

 private:
  void add(std::map<std::string, parted_tensor>& found, std::size_t number, std::string const& where) {
    archive const& from = files_[number];
    for (auto const& [key, value] : from.metadata()) {
      if (!key.starts_with(part_key) || from.find(std::string_view{key}.substr(part_key.size())) != nullptr) continue;
      fail(format_code::part_unknown,
           where + ": metadata " + shown(key) + " is of a tensor that the shard does not hold");
    }
    for (tensor_info const& info : from.tensors()) {
      std::string const who = where + ": tensor " + shown(info.name);
      shard_part part{info.shape, box::all(info.shape)};
      auto const text = from.metadata().find(std::string{part_key} + info.name);
      if (text != from.metadata().end()) {
        auto parsed = parse_part(text->second);
        if (!parsed) fail(format_code::part_text, who + " is the part " + shown(text->second) + ", which is none");
        part = std::move(*parsed);
        require_part(part, info, who);
      }
      parted_tensor& tensor =
          found.try_emplace(info.name, parted_tensor{info.name, info.type, part.shape, {}}).first->second;
      if (tensor.type != info.type || tensor.shape != part.shape) {
        fail(format_code::part_disagree, who + " is " + std::string{name_of(tensor.type)} + " " +
                                             detail::text_of(tensor.shape) + " in one shard and " +
                                             std::string{name_of(info.type)} + " " + detail::text_of(part.shape) +
                                             " in another");
      }
      tensor.parts.push_back({std::move(part.where), number, &info});
    }
  }
  static void require_part(shard_part const& part, tensor_info const& info, std::string const& who) {
    try {
      detail::require_inside("the part", part.where, part.shape);
    } catch (error const& outside) {
      fail(format_code::part_outside, who + ": " + outside.text());
    }
    if (repeats(part.where)) fail(format_code::part_overlap, who + " has the part " + detail::text_of(part.where));
    if (part.where.shape() == info.shape) return;
    fail(format_code::part_shape, who + " has the shape " + detail::text_of(info.shape) + ", its part " +
                                      detail::text_of(part.where) + " asks for " + detail::text_of(part.where.shape()));
  }
  static void require_tiling(parted_tensor const& tensor, std::string const& where) {
    std::string const who = where + ": tensor " + shown(tensor.name);
    std::int64_t held = 0;
    for (std::size_t i = 0; i < tensor.parts.size(); ++i) {
      box const& own = tensor.parts[i].where;
      held += own.count();
      for (std::size_t j = 0; j < i; ++j) {
        box const& other = tensor.parts[j].where;
        if (own.count() == 0 || other.count() == 0 || !meet(own, other)) continue;
        fail(format_code::part_overlap,
             who + " has the parts " + detail::text_of(other) + " and " + detail::text_of(own) + ", which overlap");
      }
    }
    std::int64_t const wanted = heddle::detail::product_of(tensor.shape);
    if (held == wanted) return;
    fail(format_code::part_hole,
         who + " has " + std::to_string(held) + " of its " + std::to_string(wanted) + " elements",
         "every shard of a save is needed");
  }

  std::vector<archive> files_;
  std::vector<parted_tensor> tensors_;
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
