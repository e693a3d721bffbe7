// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/device.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using heddle::error;
using heddle::error_kind;
namespace cuda = heddle::cuda;

namespace {

std::string refusal(cuda::machine const& found, int device) {
  try {
    cuda::check_machine(found, device, 5);
  } catch (error const& problem) {
    CHECK(problem.rank() == 5);
    CHECK_FALSE(problem.hint().empty());
    return std::string{name_of(problem.kind())} + ": " + problem.text();
  }
  return "";
}

}  // namespace

TEST_CASE("device: a machine is refused for the first thing that it lacks") {
  CHECK(refusal({.devices = 0, .driver = 0, .runtime = 13000}, 0) ==
        "unsupported: there is no NVIDIA driver on this machine");
  CHECK(refusal({.devices = 8, .driver = 12080, .runtime = 13000}, 0) ==
        "unsupported: the driver knows CUDA up to 12.8, and this program is built with 13.0");
  CHECK(refusal({.devices = 0, .driver = 13000, .runtime = 13000}, 0) ==
        "unsupported: there is a driver and no GPU that it may use");
  CHECK(refusal({.devices = 2, .driver = 13000, .runtime = 13000}, 2) ==
        "argument: GPU 2 was asked for, and there are 2");
  CHECK(refusal({.devices = 2, .driver = 13000, .runtime = 13000}, -1) ==
        "argument: GPU -1 was asked for, and there are 2");
}

TEST_CASE("device: a newer driver runs it, and so does an older one of the same major version") {
  CHECK(refusal({.devices = 1, .driver = 14010, .runtime = 13000}, 0).empty());
  CHECK(refusal({.devices = 1, .driver = 13000, .runtime = 13020}, 0).empty());
}

TEST_CASE("device: a GPU without code is told what there is code for") {
  auto const text = [](int capability, std::vector<int> const& built) {
    try {
      cuda::refuse_architecture(capability, built, 2);
    } catch (error const& problem) {
      CHECK(problem.rank() == 2);
      return std::string{problem.what()};
    }
  };
  CHECK(text(80, {900}) ==
        "heddle: unsupported: this program has code for compute capability 9.0, and the GPU has 8.0 [rank 2] Fix: add "
        "80 to CMAKE_CUDA_ARCHITECTURES");
  CHECK(text(121, {800, 900, 1000}).find("capability 8.0, 9.0, 10.0, and the GPU has 12.1") != std::string::npos);
  CHECK(text(90, {}).find("capability none, and the GPU has 9.0") != std::string::npos);
}

TEST_CASE("device: versions in words") {
  CHECK(cuda::version_text(13020) == "13.2");
  CHECK(cuda::version_text(12080) == "12.8");
  CHECK(cuda::version_text(9000) == "9.0");
}

TEST_CASE("device: this machine has one, or says why not") {
  cuda::machine const found = cuda::look_around();
  CHECK(found.runtime == CUDART_VERSION);
  if (found.devices > 0) {
    cuda::device const gpu;
    CHECK(gpu.number() == 0);
    CHECK(gpu.processors() > 0);
    CHECK(gpu.capability() >= 50);
  } else {
    try {
      cuda::device const gpu;
      FAIL("a GPU was found that is not there");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::unsupported);
    }
  }
}
