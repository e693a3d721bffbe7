// SPDX-License-Identifier: Apache-2.0
// What NCCL refuses, as the one typed error of the library: which call, on which rank, and what to do.
#pragma once

#include <nccl.h>

#include <heddle/core/error.hpp>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

static_assert(NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 0),
              "[heddle.nccl.version] nccl.h is older than 2.28. Fix: put the headers of NCCL 2.28 or later in front.");

/// The name that nccl.h has for a result.
[[nodiscard]] constexpr std::string_view name_of(ncclResult_t status) {
  switch (status) {
    case ncclSuccess: return "ncclSuccess";
    case ncclUnhandledCudaError: return "ncclUnhandledCudaError";
    case ncclSystemError: return "ncclSystemError";
    case ncclInternalError: return "ncclInternalError";
    case ncclInvalidArgument: return "ncclInvalidArgument";
    case ncclInvalidUsage: return "ncclInvalidUsage";
    case ncclRemoteError: return "ncclRemoteError";
    case ncclInProgress: return "ncclInProgress";
    default: return "a result that nccl.h does not name";
  }
}

/// What kind of failure a result is, and what can be done about it.
struct diagnosis {
  error_kind kind;
  char const* hint;
};
[[nodiscard]] constexpr diagnosis diagnose(ncclResult_t status) {
  switch (status) {
    case ncclInvalidArgument: return {error_kind::argument, "pass memory and streams of the GPU that this rank uses"};
    case ncclInvalidUsage:
      return {error_kind::argument,
              "give every rank a GPU of its own, and let all ranks make the same calls in one order"};
    case ncclSystemError:
      return {error_kind::io,
              "look at the network and at limits of shared memory; NCCL_DEBUG=WARN says which call it was"};
    case ncclRemoteError:
      return {error_kind::peer_failed, "look at the other ranks: one of them, or the network, is gone"};
    case ncclInProgress:
      return {error_kind::timeout, "look at what the other ranks do; if they are only slow, set a longer deadline"};
    case ncclUnhandledCudaError:
      return {error_kind::device, "run with NCCL_DEBUG=WARN to see which call of CUDA it was"};
    default: return {error_kind::device, "run with NCCL_DEBUG=WARN; it may be a defect of NCCL"};
  }
}

/// The error that `status` of `call` is. `detail` is what NCCL says of its last error, or empty.
[[nodiscard]] inline error refusal(ncclResult_t status, std::string_view call, std::string_view detail = {},
                                   int rank = -1, source_place where = source_place::current()) {
  diagnosis const found = diagnose(status);
  std::string text{call};
  text.append(": ").append(name_of(status));
  if (!detail.empty()) text.append(" (").append(detail).append(")");
  return {found.kind, std::move(text), found.hint, rank, where};
}

/// Whether `status` is the refusal of a call that has no place in a capture.
[[nodiscard]] constexpr bool is_capture(cudaError_t status) {
  return status >= cudaErrorStreamCaptureUnsupported && status <= cudaErrorStreamCaptureWrongThread;
}

/// The same for a call of the CUDA runtime; `name` and `words` are what the runtime says of it.
[[nodiscard]] inline error refusal(cudaError_t status, std::string_view call, std::string_view name, int rank = -1,
                                   source_place where = source_place::current()) {
  bool const captured = is_capture(status);
  bool const absent = status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver;
  bool const memory = status == cudaErrorMemoryAllocation;
  return {captured || absent ? error_kind::unsupported
          : memory           ? error_kind::workspace
                             : error_kind::device,
          std::string{call}.append(": ").append(name),
          captured ? "in a captured step, switch check_mode off and call no barrier, split or agree"
          : absent ? "run where a GPU and a driver for this CUDA are, and let CUDA_VISIBLE_DEVICES name it"
          : memory ? "free memory of the GPU"
                   : "an earlier kernel may be to blame: run under compute-sanitizer",
          rank, where};
}

/// The oldest NCCL that a program built with these headers can load: what it calls is in all that are as new as the
/// headers, and nothing it calls is newer than 2.28.9, which has ncclCommRevoke.
inline constexpr int needed_version =
    NCCL_VERSION_CODE < NCCL_VERSION(2, 28, 9) ? NCCL_VERSION_CODE : NCCL_VERSION(2, 28, 9);

/// "2.28.9" for 22809, as NCCL counts.
[[nodiscard]] inline std::string version_text(int version) {
  int const head = version < 10000 ? version / 1000 : version / 10000;
  int const rest = version < 10000 ? version % 1000 : version % 10000;
  return std::to_string(head) + "." + std::to_string(rest / 100) + "." + std::to_string(rest % 100);
}

/// Throws `unsupported` where the NCCL that is loaded, `found`, is older than `needed`.
inline void check_version(int found, int rank = -1, int needed = needed_version) {
  if (found >= needed) return;
  throw error(error_kind::unsupported,
              "NCCL " + version_text(found) + " is loaded, and " + version_text(needed) + " or later is needed",
              "install a newer NCCL, or let LD_LIBRARY_PATH find it first", rank);
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
