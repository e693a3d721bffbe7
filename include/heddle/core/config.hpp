// SPDX-License-Identifier: Apache-2.0
// The only header that defines macros. Everything else uses them, or better, does without.
#pragma once

#define HEDDLE_VERSION_MAJOR 0
#define HEDDLE_VERSION_MINOR 1
#define HEDDLE_VERSION_PATCH 0

// The inline namespace carries version and configuration: two translation units compiled with and without OpenMP
// then hold different entities instead of silently sharing one inline body.
#if !defined(HEDDLE_ABI)
#if defined(_OPENMP)
#define HEDDLE_ABI v0_1_omp
#else
#define HEDDLE_ABI v0_1
#endif
#endif

// Marks what a team kernel calls on both sides. Metaprogramming is consteval or a type and needs no mark.
#if defined(__CUDACC__)
#define HEDDLE_HOST_DEVICE __host__ __device__
#else
#define HEDDLE_HOST_DEVICE
#endif

#if defined(__FAST_MATH__)
#error "[heddle.config.fast_math] -ffast-math breaks the NaN order and the bit promises. Fix: compile without it."
#endif

namespace heddle::inline HEDDLE_ABI {

/// The version of these headers, as in the HEDDLE_VERSION macros.
struct version {
  static constexpr int major_number = HEDDLE_VERSION_MAJOR;
  static constexpr int minor_number = HEDDLE_VERSION_MINOR;
  static constexpr int patch_number = HEDDLE_VERSION_PATCH;
};

}  // namespace heddle::inline HEDDLE_ABI
