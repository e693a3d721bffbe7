// SPDX-License-Identifier: Apache-2.0
// What a user can set about ranks that NCCL connects.
#pragma once

#include <chrono>
#include <heddle/collective/statements.hpp>
#include <heddle/core/error.hpp>
#include <heddle/nccl/plan.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// A deadline that never comes. Waiting without end must be asked for by this name.
inline constexpr std::chrono::nanoseconds no_deadline = std::chrono::nanoseconds::max();

/// See there. A comparison costs one small all-gather and a wait of the host for the stream, so a step that is captured
/// in a graph has it off.
using heddle::check_mode;
using heddle::default_check;

/// In which type NCCL adds the 16-bit floats: in their own, rounded at every hop, or in f32, rounded once, for twice
/// the bytes on the wire. It promises no bits in either. Other types are added as they are.
enum class sum_mode { as_given, f32 };

/// Whether `register_memory` makes symmetric windows of buffers or leaves them as they are.
enum class window_mode { off, symmetric };

/// Whose counts `all_to_all` may expect: any, or the same number for all pairs of ranks, for which NCCL has one call. A
/// rank cannot see by its own counts what the others have, so this is the caller's word.
enum class exchange_mode { any, uniform };

/// The same on all ranks, but for the deadline.
struct options {
  /// How long the host waits for NCCL: to connect, to take a call, in a meeting, in `wait`.
  std::chrono::nanoseconds deadline = std::chrono::seconds{60};
  check_mode check = default_check;  ///< on in builds without NDEBUG
  sum_mode sum = sum_mode::as_given;
  window_mode windows = window_mode::off;
  exchange_mode exchange = exchange_mode::any;
  /// Memory of the GPU in which sums in f32 are made, piece by piece; none is taken for `as_given`.
  index_t sum_bytes = index_t{4} << 20;
  call_limits limits{};
};

/// Throws `argument` for settings that no communicator can have.
inline void check_options(options const& settings, int rank = -1) {
  auto const refuse = [rank](std::string text, char const* hint) {
    throw error(error_kind::argument, std::move(text), hint, rank);
  };
  if (settings.deadline <= std::chrono::nanoseconds::zero()) {
    refuse("the deadline is " + std::to_string(settings.deadline.count()) + " ns",
           "set a time above zero, or nccl::no_deadline");
  }
  if (settings.limits.elements < 1) {
    refuse("a call may take " + std::to_string(settings.limits.elements) + " elements", "allow at least one");
  }
  if (settings.limits.operations < 2) {
    refuse("a group may have " + std::to_string(settings.limits.operations) + " operations",
           "allow at least a send and a receive");
  }
  if (settings.sum == sum_mode::f32 && settings.sum_bytes < 4) {
    refuse("sums in f32 have " + std::to_string(settings.sum_bytes) + " bytes to be made in", "give them 4 at least");
  }
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
