// SPDX-License-Identifier: Apache-2.0
// An open checkpoint: every tensor of its one or many files, found by name, read by byte range.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <heddle/checkpoint/file.hpp>
#include <heddle/checkpoint/header.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// One tensor of a checkpoint.
struct tensor_info {
  std::string name;
  stored_dtype type{};
  shape_t shape;
  std::size_t file = 0;      ///< index into `archive::files()`
  std::uint64_t offset = 0;  ///< of its first byte, from the start of that file
  std::uint64_t bytes = 0;
};

/// Made by `checkpoint::open` (checkpoint/open.hpp). Threads may share one archive; it keeps its files open.
class archive {
 public:
  /// `tensors` in any order, names distinct, their spans checked against the files.
  archive(std::vector<file> files, std::vector<tensor_info> tensors, metadata_t metadata)
      : files_{std::move(files)}, tensors_{std::move(tensors)}, metadata_{std::move(metadata)} {
    std::sort(tensors_.begin(), tensors_.end(),
              [](tensor_info const& a, tensor_info const& b) { return a.name < b.name; });
  }

  /// All tensors, sorted by name.
  [[nodiscard]] std::span<tensor_info const> tensors() const { return tensors_; }
  /// The names of all tensors, sorted; they live as long as the archive.
  [[nodiscard]] std::vector<std::string_view> names() const {
    std::vector<std::string_view> result;
    result.reserve(tensors_.size());
    for (tensor_info const& tensor : tensors_) result.push_back(tensor.name);
    return result;
  }
  /// The tensor of this name, or nullptr.
  [[nodiscard]] tensor_info const* find(std::string_view name) const {
    auto const found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                        [](tensor_info const& a, std::string_view b) { return a.name < b; });
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }
  /// The tensor of this name; throws `missing_tensor`.
  [[nodiscard]] tensor_info const& at(std::string_view name) const {
    if (tensor_info const* const found = find(name)) return *found;
    fail(format_code::missing_tensor,
         "the checkpoint has no tensor " + shown(name) + " among its " + std::to_string(tensors_.size()),
         "check that the plan and the files belong to the same model");
  }
  /// The open files; `tensor_info::file` is an index into them.
  [[nodiscard]] std::span<file const> files() const { return files_; }
  /// `__metadata__` of all files; where two disagree on a key the first file wins.
  [[nodiscard]] metadata_t const& metadata() const { return metadata_; }

  /// Copies bytes [offset, offset + out.size()) of a tensor. The caller keeps them inside the tensor.
  void read_bytes(tensor_info const& tensor, std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > tensor.bytes || out.size() > tensor.bytes - offset) {
      throw error(error_kind::argument, std::to_string(out.size()) + " bytes from byte " + std::to_string(offset) +
                                            " on of tensor " + shown(tensor.name) + ", which has " +
                                            std::to_string(tensor.bytes));
    }
    files_[tensor.file].read(tensor.offset + offset, out);
    bytes_read_->fetch_add(out.size(), std::memory_order_relaxed);
  }
  /// Bytes of tensor data read so far, by all threads; headers do not count.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_->load(std::memory_order_relaxed); }

 private:
  std::vector<file> files_;
  std::vector<tensor_info> tensors_;
  metadata_t metadata_;
  // Behind a pointer so that an archive can move.
  std::unique_ptr<std::atomic<std::uint64_t>> bytes_read_ = std::make_unique<std::atomic<std::uint64_t>>(0);
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
