// SPDX-License-Identifier: Apache-2.0
// Memory that NCCL may reach from every rank: checked and agreed on before any rank asks for it.
#pragma once

#include <cstdint>
#include <heddle/nccl/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// Throws `argument` for memory that NCCL makes no window of.
inline void check_window(void const* data, index_t bytes, int rank) {
  if (bytes <= 0 || data == nullptr) {
    throw error(error_kind::argument,
                "a window of " + std::to_string(bytes) + " bytes" + (data == nullptr ? " at null" : ""),
                "register memory from ncclMemAlloc, of one byte or more", rank);
  }
  if (reinterpret_cast<std::uintptr_t>(data) % NCCL_WIN_REQUIRED_ALIGNMENT != 0) {
    throw error(error_kind::argument,
                "the window does not begin at a multiple of " + std::to_string(NCCL_WIN_REQUIRED_ALIGNMENT) + " bytes",
                "register memory from ncclMemAlloc", rank);
  }
}

/// Collective over a `communicator` of this folder: lets NCCL reach `bytes` at `data` of every rank as one symmetric
/// window, until the communicator ends, where its options ask for windows; else it does nothing and returns false. The
/// memory is from ncclMemAlloc; it and the stream outlive the communicator, whose end waits for what is in the stream.
/// `bytes` is the same on all ranks. NCCL wants what a collective then sends or receives at one place of the window on
/// all ranks, or outside of windows on all: with `check_mode::on` it is a `mismatch` where it is not, without it data
/// goes astray. A step's workspace, whose places follow a rank's own number of rows, is no such memory. Where one rank
/// passes what cannot be a window, or what is in one of this communicator already, every rank gets an error.
template <class Group>
bool register_memory(Group& group, void* data, index_t bytes) {
  if (!group.transport().windows_wanted()) return false;
  group.agree([&] { group.transport().check_window(data, bytes); });
  group.transport().add_window(data, bytes);
  return true;
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
