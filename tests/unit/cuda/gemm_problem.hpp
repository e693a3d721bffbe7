// SPDX-License-Identifier: Apache-2.0
// Grouped products of small whole numbers: every sum is exact in every order, so what a kernel gives must be equal.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <heddle/core/dtype.hpp>
#include <heddle/tensor/extents.hpp>
#include <new>
#include <vector>

namespace problem {

using heddle::index_t;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// `count` numbers from -3 to 3, in memory that begins `shift` elements behind an aligned place.
template <class T>
struct operand {
  std::vector<T> room;
  T* data = nullptr;
  operand(index_t count, unsigned seed, index_t shift = 0) : room(at(count + 64)) {
    auto const begin = reinterpret_cast<std::uintptr_t>(room.data());
    data = room.data() + (256 - begin % 256) % 256 / sizeof(T) % 32 + shift;
    while (reinterpret_cast<std::uintptr_t>(data - shift) % 16 != 0) ++data;
    unsigned state = seed * 2654435761U + 1;
    for (index_t i = 0; i < count; ++i) {
      state = state * 1664525U + 1013904223U;
      data[i] = static_cast<T>(static_cast<float>(static_cast<int>(state >> 24) % 7 - 3));
    }
  }
  operand(operand const&) = delete;
  operand& operator=(operand const&) = delete;
  double operator()(index_t i) const { return static_cast<double>(static_cast<float>(data[i])); }
};

/// A matrix of which there are addresses and no memory, but for the elements from `first` on: who touches another one
/// ends the program.
template <class T>
struct far_operand {
  std::size_t bytes;
  void* room;
  T* data;  ///< of element 0
  far_operand(index_t first, index_t count, unsigned seed) {
    auto const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t const begin = at(first) * sizeof(T) / page * page, end = at(first + count) * sizeof(T);
    bytes = (end / page + 2) * page;
    room = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED || mprotect(static_cast<char*>(room) + begin, end - begin, PROT_READ | PROT_WRITE) != 0)
      throw std::bad_alloc{};
    data = static_cast<T*>(room);
    operand<T> const values(count, seed);
    for (index_t i = 0; i < count; ++i) data[first + i] = values.data[i];
  }
  far_operand(far_operand const&) = delete;
  far_operand& operator=(far_operand const&) = delete;
  ~far_operand() { munmap(room, bytes); }
  double operator()(index_t i) const { return static_cast<double>(static_cast<float>(data[i])); }
};

/// Where the groups begin, and where the last one ends.
inline std::vector<index_t> begins_of(std::vector<index_t> const& sizes) {
  std::vector<index_t> begins{0};
  for (index_t const size : sizes) begins.push_back(begins.back() + size);
  return begins;
}

/// Rows to gather, some of them none.
inline std::vector<std::int32_t> source_of(index_t rows, index_t among) {
  std::vector<std::int32_t> source;
  for (index_t r = 0; r < rows; ++r) source.push_back(r % 5 == 3 ? -1 : static_cast<std::int32_t>((r * 7 + 2) % among));
  return source;
}

}  // namespace problem
