// SPDX-License-Identifier: Apache-2.0
// Which memory of this rank lies in windows of one communicator, and where: what its ranks must have alike.
#pragma once

#include <cstdint>
#include <heddle/nccl/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// The windows of one communicator, in the order in which all its ranks have made them.
class window_list {
 public:
  struct entry {
    std::uintptr_t begin = 0;
    index_t bytes = 0;
    ncclWindow_t handle = nullptr;  ///< null where the machine has no such windows
  };

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::span<entry const> entries() const { return entries_; }
  /// So that the next `add` needs no memory.
  void make_room() { entries_.reserve(entries_.size() + 1); }
  void add(void const* data, index_t bytes, ncclWindow_t handle) {
    entries_.push_back({reinterpret_cast<std::uintptr_t>(data), bytes, handle});
  }

  /// Throws `argument` for memory of which a part is in a window already: NCCL does not say which of the two counts.
  void check_new(void const* data, index_t bytes, int rank) const {
    auto const begin = reinterpret_cast<std::uintptr_t>(data);
    for (entry const& each : entries_) {
      bool const apart = begin >= each.begin + static_cast<std::uintptr_t>(each.bytes) ||
                         begin + static_cast<std::uintptr_t>(bytes) <= each.begin;
      if (apart) continue;
      throw error(error_kind::argument,
                  "a window of " + std::to_string(bytes) + " bytes has memory in common with one of " +
                      std::to_string(each.bytes) + " bytes that this communicator has already",
                  "register memory once for each communicator; windows are there until it ends", rank);
    }
  }

  /// Bytes before `data`, counted through all windows as if each lay behind the one made before it, so that one number
  /// says window and offset; -1 outside of them and where there are none.
  [[nodiscard]] index_t place_of(void const* data) const {
    auto const at = reinterpret_cast<std::uintptr_t>(data);
    index_t before = 0;
    for (entry const& each : entries_) {
      bool const inside = at >= each.begin && at - each.begin < static_cast<std::uintptr_t>(each.bytes);
      if (inside) return each.handle == nullptr ? -1 : before + static_cast<index_t>(at - each.begin);
      before += each.bytes;
    }
    return -1;
  }

 private:
  std::vector<entry> entries_;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
