// SPDX-License-Identifier: Apache-2.0
// The global operator new of the property tests, which counts its calls by thread and can fail. It stands alone: in
// sight of inlined code the compiler would pair it with the library's own.
#include "../support/allocations.hpp"

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

// Calls that are to be refused: from `first` until before `end`.
template <class Number>
struct refusals {
  Number calls{0}, first{LONG_MAX}, end{LONG_MAX};

  bool next() {
    long const number = calls++;
    return number >= first && number < end;
  }
};
thread_local long calls = 0;
thread_local refusals<long> of_thread;
refusals<std::atomic<long>> of_all;
std::atomic<long> refused = 0;

void* counted_or_null(std::size_t size, std::size_t alignment) noexcept {
  ++calls;
  bool const here = of_thread.next();
  if (of_all.next() || here) {
    ++refused;
    return nullptr;
  }
  if (size == 0) size = 1;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* counted(std::size_t size, std::size_t alignment) {
  void* const memory = counted_or_null(size, alignment);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
// std::stable_sort asks by this one, and a workspace by the one with an alignment.
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  return counted_or_null(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept {
  return counted_or_null(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment, std::nothrow_t const&) noexcept {
  return counted_or_null(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, std::nothrow_t const&) noexcept {
  return counted_or_null(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::nothrow_t const&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::nothrow_t const&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

long support::allocations() { return calls; }
long support::refused_allocations() { return refused; }
void support::refuse_no_allocation() {
  of_thread.first = LONG_MAX;
  of_all.first = LONG_MAX;
}
void support::refuse_allocations(refuse_to whom, long first, long count) {
  refuse_no_allocation();
  auto const set = [&](auto& which) {
    which.calls = 0;
    which.end = count < LONG_MAX - first ? first + count : LONG_MAX;
    which.first = first;
  };
  if (whom == refuse_to::this_thread) set(of_thread);
  else set(of_all);
}
