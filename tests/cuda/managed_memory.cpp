// SPDX-License-Identifier: Apache-2.0
// Every allocation of a program in memory that host and GPU both read: the vectors of the kernel tests then are data of
// a GPU as they stand. One region, cut into powers of two that are reused; plain memory where there is no GPU, and
// before and behind the cases.
#include <cuda_runtime_api.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

#include "cases_run.hpp"

namespace {

constexpr std::size_t region_bytes = std::size_t{1} << 30;
constexpr std::size_t least = 64;

struct free_piece {
  free_piece* next;
};

/// The size stands before the piece, so that a delete without one finds its list.
struct alignas(least) head {
  std::size_t bytes;
};

class region {
 public:
  void* take(std::size_t bytes) {
    std::lock_guard const lock{mutex_};
    if (inside_ || !cases_run) return std::malloc(bytes);  // the runtime itself allocates while it begins
    if (!asked_) ask();
    if (begin_ == nullptr) return std::malloc(bytes);
    std::size_t const size = std::bit_ceil(bytes < least ? least : bytes);
    free_piece*& list = free_[static_cast<std::size_t>(std::countr_zero(size))];
    if (list != nullptr) {
      free_piece* const piece = list;
      list = piece->next;
      return piece;
    }
    if (used_ + size > region_bytes) return nullptr;
    void* const place = begin_ + used_;
    used_ += size;
    return place;
  }
  void give(void* memory) {
    std::lock_guard const lock{mutex_};
    auto const address = reinterpret_cast<std::uintptr_t>(memory);
    auto const begin = reinterpret_cast<std::uintptr_t>(begin_);
    if (begin_ == nullptr || address < begin || address >= begin + region_bytes) return std::free(memory);
    if (!cases_run) return;  // it may be gone: not even the size before it is read
    std::size_t const bytes = static_cast<head*>(memory)->bytes;
    std::size_t const size = std::bit_ceil(bytes < least ? least : bytes);
    free_piece*& list = free_[static_cast<std::size_t>(std::countr_zero(size))];
    list = new (memory) free_piece{list};
  }

 private:
  void ask() {
    asked_ = inside_ = true;
    int devices = 0;
    void* memory = nullptr;
    if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0 &&
        cudaMallocManaged(&memory, region_bytes) == cudaSuccess) {
      begin_ = static_cast<std::byte*>(memory);
    }
    static_cast<void>(cudaGetLastError());
    inside_ = false;
  }

  std::recursive_mutex mutex_;
  std::byte* begin_ = nullptr;
  std::size_t used_ = 0;
  std::array<free_piece*, 64> free_{};
  bool asked_ = false, inside_ = false;
};

region& memory() {
  alignas(region) static std::byte place[sizeof(region)];
  static region* const all = new (place) region;  // never destroyed: others allocate until the end
  return *all;
}

void* allocate(std::size_t bytes) {
  void* const raw = memory().take(bytes + sizeof(head));
  if (raw == nullptr) throw std::bad_alloc{};
  return new (raw) head{bytes + sizeof(head)} + 1;
}
void release(void* data) {
  if (data != nullptr) memory().give(static_cast<head*>(data) - 1);
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* data) noexcept { release(data); }
void operator delete[](void* data) noexcept { release(data); }
void operator delete(void* data, std::size_t) noexcept { release(data); }
void operator delete[](void* data, std::size_t) noexcept { release(data); }
