// SPDX-License-Identifier: Apache-2.0
// managed_memory.cpp with a runtime that is made up: nothing is asked of it before main or behind it, and of its memory
// nothing is read or written any more when main has ended, since the driver may have taken it away.
#include <cuda_runtime_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "cases_run.hpp"

namespace {

bool main_runs = false;
int asked = 0;
char* region = nullptr;
std::size_t region_bytes = 0;

void expect(bool good, char const* what) {
  if (good) return;
  std::fprintf(stderr, "WRONG: %s\n", what);
  _exit(1);
}
bool managed(std::vector<char> const& numbers) {
  auto const at = reinterpret_cast<std::uintptr_t>(numbers.data());
  auto const begin = reinterpret_cast<std::uintptr_t>(region);
  return region != nullptr && at >= begin && at < begin + region_bytes;
}

/// Allocates before main, frees behind it.
struct witness {
  std::vector<char> early = std::vector<char>(100, 'e'), grown = early, late{};
  ~witness() { expect(!main_runs, "static objects end behind main"); }
} all;
/// Ends before that one, since it was made after it.
struct driver {
  ~driver() { expect(mprotect(region, region_bytes, PROT_NONE) == 0, "the memory is taken away"); }
} of_all;

}  // namespace

extern "C" cudaError_t cudaGetDeviceCount(int* count) {
  expect(main_runs, "the runtime is asked outside of main");
  ++asked;
  *count = 1;
  return cudaSuccess;
}
extern "C" cudaError_t cudaMallocManaged(void** data, std::size_t bytes, unsigned) {
  expect(main_runs && region == nullptr, "memory is taken once, inside main");
  void* const taken = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  expect(taken != MAP_FAILED, "there is address space for the test");
  *data = region = static_cast<char*>(taken);
  region_bytes = bytes;
  return cudaSuccess;
}
extern "C" cudaError_t cudaGetLastError() {
  expect(main_runs, "the runtime is asked outside of main");
  return cudaSuccess;
}

int main() {
  main_runs = true;
  all.grown.resize(3000, 'g');
  expect(asked == 0 && region == nullptr, "before the cases run memory is plain");
  {
    running_cases const now;
    char const* first = nullptr;
    {
      std::vector<char> const numbers(1000, 'n');
      expect(managed(numbers), "memory of a case is managed");
      first = numbers.data();
    }
    std::vector<char> const again(990, 'a');
    expect(managed(again) && again.data() == first, "what was freed is used again");
    expect(asked == 1, "the runtime is asked once");
    expect(!managed(all.early) && !managed(all.grown), "plain memory stays where it is");
    all.grown.resize(9000, 'h');
    expect(managed(all.grown) && all.grown[0] == 'e' && all.grown[2999] == 'g', "what grows in a case is managed");
    all.late.assign(50, 'l');
  }
  std::vector<char> const behind(1000, 'b');
  expect(!managed(behind), "behind the cases memory is plain");
  main_runs = false;
  return 0;
}
