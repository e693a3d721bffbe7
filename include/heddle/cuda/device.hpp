// SPDX-License-Identifier: Apache-2.0
// Which GPU a rank runs on and whether it can run this program: asked before anything is launched.
#pragma once

#include <heddle/cuda/error.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What the machine has and what this program was built with. Versions count as CUDA's: 13020 is 13.2.
struct machine {
  int devices = 0;
  int driver = 0;   ///< the newest CUDA that the driver knows; 0: there is no driver
  int runtime = 0;  ///< the CUDA of this program
};

/// "13.2" for 13020.
[[nodiscard]] inline std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Throws `unsupported` where this program cannot use a GPU of `found`: no driver, one too old, or no GPU. A driver of
/// the same major version is new enough (CUDA's minor version compatibility). Throws `argument` for a `device` that is
/// not there.
inline void check_machine(machine const& found, int device, int rank = -1) {
  if (found.driver == 0) {
    throw error(error_kind::unsupported, "there is no NVIDIA driver on this machine",
                "run where a GPU and its driver are", rank);
  }
  if (found.driver / 1000 < found.runtime / 1000) {
    throw error(error_kind::unsupported,
                "the driver knows CUDA up to " + version_text(found.driver) + ", and this program is built with " +
                    version_text(found.runtime),
                "install a newer driver, or build with an older CUDA", rank);
  }
  if (found.devices == 0) {
    throw error(error_kind::unsupported, "there is a driver and no GPU that it may use",
                "run where a GPU is, and let CUDA_VISIBLE_DEVICES name it", rank);
  }
  if (device < 0 || device >= found.devices) {
    throw error(error_kind::argument,
                "GPU " + std::to_string(device) + " was asked for, and there are " + std::to_string(found.devices),
                "use a number from 0 to " + std::to_string(found.devices - 1), rank);
  }
}

/// Throws `unsupported` for a GPU of `capability` (90 for 9.0) that this program has no code for; `built` are the
/// architectures it was compiled for, in nvcc's numbers, 900 for 9.0.
template <class List>
[[noreturn]] void refuse_architecture(int capability, List const& built, int rank = -1) {
  auto const text = [](int number) { return std::to_string(number / 10) + "." + std::to_string(number % 10); };
  std::string all;
  for (int const each : built) all += (all.empty() ? "" : ", ") + text(each / 10);
  throw error(error_kind::unsupported,
              "this program has code for compute capability " + (all.empty() ? std::string{"none"} : all) +
                  ", and the GPU has " + text(capability),
              "add " + std::to_string(capability) + " to CMAKE_CUDA_ARCHITECTURES", rank);
}

/// What there is now.
[[nodiscard]] inline machine look_around() {
  machine found;
  check(cudaRuntimeGetVersion(&found.runtime), "cudaRuntimeGetVersion");
  check(cudaDriverGetVersion(&found.driver), "cudaDriverGetVersion");
  if (found.driver == 0) return found;
  cudaError_t const status = cudaGetDeviceCount(&found.devices);
  if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver) {
    found.devices = 0;
    static_cast<void>(cudaGetLastError());  // `check_machine` has the words for it
  } else {
    check(status, "cudaGetDeviceCount");
  }
  return found;
}

/// One GPU, its numbers read once.
class device {
 public:
  /// Throws as `check_machine` does.
  explicit device(int number = 0, int rank = -1) : number_{number} {
    check_machine(look_around(), number, rank);
    auto const ask = [&](cudaDeviceAttr what) {
      int value = 0;
      check(cudaDeviceGetAttribute(&value, what, number), "cudaDeviceGetAttribute", rank);
      return value;
    };
    processors_ = ask(cudaDevAttrMultiProcessorCount);
    capability_ = 10 * ask(cudaDevAttrComputeCapabilityMajor) + ask(cudaDevAttrComputeCapabilityMinor);
  }

  /// Makes it the GPU of the calling thread.
  void use(int rank = -1) const { check(cudaSetDevice(number_), "cudaSetDevice", rank); }

  [[nodiscard]] int number() const { return number_; }
  /// Streaming multiprocessors.
  [[nodiscard]] int processors() const { return processors_; }
  /// 90 for compute capability 9.0.
  [[nodiscard]] int capability() const { return capability_; }

 private:
  int number_;
  int processors_ = 0;
  int capability_ = 0;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
