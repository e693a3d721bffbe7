// SPDX-License-Identifier: Apache-2.0
// What this machine can do, measured in the run that is judged by it: fp32 multiply-adds and memory reads a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <heddle/host/parallel.hpp>
#include <memory>
#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace bench {

using clock = std::chrono::steady_clock;

inline double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

/// The best of `rounds` rates of `work()`, which returns how much it did.
template <class Work>
double best_rate(int rounds, Work work) {
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    auto const start = clock::now();
    double const amount = work();
    double const rate = amount / seconds_since(start);
    best = rate > best ? rate : best;
  }
  return best;
}

// The widest fused multiply-add there is: written out, since a compiler need not fuse what ISO C++ keeps apart.
#if defined(__AVX512F__)
using vector = __m512;
inline vector multiply_add(vector a, vector b, vector c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(__FMA__)
using vector = __m256;
inline vector multiply_add(vector a, vector b, vector c) { return _mm256_fmadd_ps(a, b, c); }
#else
using vector = float __attribute__((vector_size(16)));
inline vector multiply_add(vector a, vector b, vector c) { return a * b + c; }
#endif

/// Floating-point operations a second of `threads` threads: independent chains of multiply-adds in registers.
inline double peak_flops(int threads) {
  constexpr int chains = 16;
  constexpr auto lanes = static_cast<int>(sizeof(vector) / sizeof(float));
  constexpr long steps = 4'000'000;
  return best_rate(3, [&] {
    heddle::host::parallel_for(threads, threads, [](heddle::index_t, int) {
      vector sums[chains] = {};
      vector factor = vector{} + 0.5F;
      vector addend = vector{} + 0.25F;
      asm volatile("" : "+x"(factor), "+x"(addend));
      for (vector& sum : sums) asm volatile("" : "+x"(sum));  // chains that look alike would be computed once
      for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 16
        for (vector& sum : sums) sum = multiply_add(sum, factor, addend);
      }
      for (vector& sum : sums) asm volatile("" : "+x"(sum));
    });
    return static_cast<double>(threads) * static_cast<double>(steps) * chains * lanes * 2;
  });
}

/// Bytes a second that `threads` threads read from memory, over a buffer far larger than the caches.
inline double read_bandwidth(int threads) {
  constexpr std::size_t words = std::size_t{48} << 20;  // 384 MiB
  auto const buffer = std::make_unique<std::uint64_t[]>(words);
  for (std::size_t i = 0; i < words; ++i) buffer[i] = i;
  std::uint64_t volatile sink = 0;
  return best_rate(3, [&] {
    heddle::host::parallel_for(threads, threads, [&](heddle::index_t part, int) {
      std::size_t const begin = words / static_cast<std::size_t>(threads) * static_cast<std::size_t>(part);
      std::uint64_t sums[32] = {};
      for (std::size_t i = begin; i + 32 <= begin + words / static_cast<std::size_t>(threads); i += 32) {
        for (std::size_t lane = 0; lane < 32; ++lane) sums[lane] += buffer[i + lane];
      }
      std::uint64_t total = 0;
      for (std::uint64_t sum : sums) total += sum;
      sink = total;
    });
    return static_cast<double>(words) * 8;
  });
}

}  // namespace bench
