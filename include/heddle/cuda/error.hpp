// SPDX-License-Identifier: Apache-2.0
// What the CUDA runtime refuses, as the one typed error of the library: which call, on which rank, and what to do.
#pragma once

#include <cuda_runtime_api.h>

#include <heddle/core/error.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What kind of failure a status of the runtime is, and what can be done about it.
struct diagnosis {
  error_kind kind;
  char const* hint;
};
[[nodiscard]] constexpr diagnosis diagnose(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
      return {error_kind::unsupported, "run where a GPU is, and let CUDA_VISIBLE_DEVICES name it"};
    case cudaErrorInsufficientDriver:
      return {error_kind::unsupported, "install a driver for this CUDA or a later one, or build with an older CUDA"};
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
      return {error_kind::unsupported, "let the driver and its services be of one version, and running"};
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidKernelImage:
    case cudaErrorUnsupportedPtxVersion:
      return {error_kind::unsupported, "add the architecture of this GPU to CMAKE_CUDA_ARCHITECTURES"};
    case cudaErrorNotSupported:
    case cudaErrorCallRequiresNewerDriver:
      return {error_kind::unsupported, "use a GPU and a driver that have this feature"};
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureWrongThread:
      return {error_kind::unsupported, "keep what waits, allocates or uses other streams out of a captured step"};
    case cudaErrorMemoryAllocation: return {error_kind::workspace, "free memory of the GPU or ask for less"};
    case cudaErrorInvalidDevice:
    case cudaErrorInvalidDevicePointer:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidMemcpyDirection:
    case cudaErrorInvalidPitchValue:
    case cudaErrorInvalidValue:
      return {error_kind::argument, "pass memory, streams and events of the device that is current"};
    default:
      // Errors inside a kernel arrive with whatever call comes next, so the call named here may be blameless.
      return {error_kind::device,
              "run under compute-sanitizer, or with CUDA_LAUNCH_BLOCKING=1 to see which call it was"};
  }
}

/// Throws what `status` means; `call` names what was asked of the runtime, `rank` who asked, -1 where nobody counts.
/// The error does not stay behind for the next call that looks for one, unless the device is lost for this process.
inline void check(cudaError_t status, char const* call, int rank = -1, source_place where = source_place::current()) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  diagnosis const found = diagnose(status);
  throw error(found.kind,
              std::string{call}
                  .append(": ")
                  .append(cudaGetErrorString(status))
                  .append(" (")
                  .append(cudaGetErrorName(status))
                  .append(")"),
              found.hint, rank, where);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
