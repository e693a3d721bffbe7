// SPDX-License-Identifier: Apache-2.0
// A safetensors file whose data comes piece by piece: the shapes are known from the start, the bytes never all at once.
#pragma once

#include <heddle/checkpoint/write.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Declares its tensors, takes their bytes in the order of `order()`, and is there with `commit`. Without it, nothing
/// is.
template <class Steps = no_steps>
class stream_file {
 public:
  /// Writes the header for `tensors`, whose `bytes` are not looked at. Throws as `write` does.
  stream_file(std::string path, std::vector<tensor_entry> tensors, metadata_t const& metadata = {},
              strict_limits const& limits = {}, Steps steps = {})
      : tensors_{std::move(tensors)},
        plan_{detail::plan_file(tensors_, metadata, limits)},
        path_{path},
        target_{std::move(path), std::move(steps)} {
    for (tensor_entry const& entry : tensors_) left_ += detail::bytes_of(entry);
    target_.write(std::as_bytes(std::span{plan_.header}));
  }
  stream_file(stream_file const&) = delete;
  stream_file& operator=(stream_file const&) = delete;

  /// The tensors in the order of the file.
  [[nodiscard]] std::span<tensor_entry const* const> order() const { return plan_.order; }
  /// The next bytes of the data. Throws `argument` beyond what the shapes ask for.
  void append(std::span<std::byte const> bytes) {
    if (bytes.size() > left_) throw wrong(std::to_string(bytes.size()) + " bytes are to follow");
    target_.write(bytes);
    left_ -= bytes.size();
  }
  /// Makes the file durable and gives it its name. Throws `argument` where bytes are missing.
  void commit() {
    if (left_ != 0) throw wrong("the file is to be finished");
    target_.commit();
  }

 private:
  [[nodiscard]] error wrong(std::string const& what) const {
    return {error_kind::argument, "'" + path_ + "' takes " + std::to_string(left_) + " more bytes, and " + what,
            "append the bytes of every tensor, in the order of order()"};
  }

  std::vector<tensor_entry> tensors_;
  detail::file_plan plan_;
  std::string path_;
  std::uint64_t left_ = 0;
  basic_atomic_file<Steps> target_;
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
