// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_load.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "gemm_problem.hpp"

using namespace heddle;
using namespace problem;
using namespace heddle::cuda;

namespace {

/// What a loader needs of a block, at once.
struct plain_block {
  int* copies;
  void copy_async(std::byte* to, void const* from) const {
    ++*copies;
    std::memcpy(to, from, 16);
  }
  void store_chunk(std::byte* to, chunk_value const& value) const { std::memcpy(to, &value, 16); }
};

template <class Operand>
float element_at(std::vector<std::byte> const& shared, int index, int k) {
  typename Operand::element value;
  std::memcpy(&value, shared.data() + Operand::at(index, k), sizeof value);
  return static_cast<float>(value);
}

constexpr int threads = 64, extent = 32, depth = 32;

/// Rows of a matrix [all, width] from row 3 on, width elements each, the stage at k.
template <class T>
void check_along(index_t all, index_t width, index_t shift, index_t k, bool expects_copies) {
  using operand_type = shared_operand<T, lines::along_depth, extent, depth>;
  operand<T> const x(all * width, 9, shift);
  std::vector<std::byte> shared(operand_type::bytes, std::byte{0xff});
  int copies = 0;
  bool const whole = has_whole_chunks(x.data, width);
  for (int thread = 0; thread < threads; ++thread) {
    tile_loader<operand_type, threads> const loader{
        thread,
        [&](int line) -> T const* { return 3 + line < all && line != 7 ? x.data + (3 + line) * width : nullptr; },
        width, whole};
    loader.load(plain_block{&copies}, shared.data(), k);
  }
  CHECK((copies > 0) == expects_copies);
  int wrong = 0;
  for (int i = 0; i < extent; ++i) {
    for (int j = 0; j < depth; ++j) {
      bool const there = 3 + i < all && i != 7 && k + j < width;
      wrong += element_at<operand_type>(shared, i, j) != (there ? static_cast<float>(x((3 + i) * width + k + j)) : 0);
    }
  }
  CHECK(wrong == 0);
}

/// Columns from 16 on of `height` lines of [.., width], some of them gathered, the stage at line k.
template <class T>
void check_across(index_t height, index_t width, index_t shift, index_t k, bool gathers, bool expects_copies) {
  using operand_type = shared_operand<T, lines::across_depth, extent, depth>;
  operand<T> const x(height * width, 9, shift);
  auto const source = source_of(height, height);
  std::vector<std::byte> shared(operand_type::bytes, std::byte{0xff});
  int copies = 0;
  for (int thread = 0; thread < threads; ++thread) {
    tile_loader<operand_type, threads> const loader{thread, x.data, gathers ? source.data() : nullptr, width, 16,
                                                    width,  height, has_whole_chunks(x.data, width)};
    loader.load(plain_block{&copies}, shared.data(), k);
  }
  CHECK((copies > 0) == expects_copies);
  int wrong = 0;
  for (int i = 0; i < extent; ++i) {
    for (int j = 0; j < depth; ++j) {
      index_t const line = k + j >= height ? -1 : gathers ? source[at(k + j)] : k + j;
      bool const there = line >= 0 && 16 + i < width;
      wrong += element_at<operand_type>(shared, i, j) != (there ? static_cast<float>(x(line * width + 16 + i)) : 0);
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("gemm_load: whole chunks where memory is aligned, elements where not, zeros outside") {
  check_along<bf16>(50, 64, 0, 32, true);
  check_along<bf16>(20, 40, 0, 32, true);
  check_along<bf16>(20, 41, 0, 32, false);
  check_along<bf16>(20, 64, 1, 0, false);
  check_along<bf16>(20, 5, 0, 0, false);
  check_along<float>(20, 44, 0, 32, true);
  check_along<float>(20, 45, 3, 32, false);
  check_across<f16>(40, 48, 0, 0, false, true);
  check_across<f16>(40, 40, 0, 32, true, true);
  check_across<f16>(40, 41, 0, 32, true, false);
  check_across<float>(33, 20, 0, 32, false, true);
  check_across<float>(33, 20, 1, 0, false, false);
}

namespace {

/// Looks at addresses only.
struct far_block {
  std::vector<std::uintptr_t>* from;
  void copy_async(std::byte*, void const* address) const { from->push_back(reinterpret_cast<std::uintptr_t>(address)); }
  void store_chunk(std::byte*, chunk_value const&) const { from->push_back(0); }
};

}  // namespace

TEST_CASE("gemm_load: elements beyond 2^31 of a matrix that nobody has") {
  using operand_type = shared_operand<bf16, lines::across_depth, extent, depth>;
  auto const* const base = reinterpret_cast<bf16 const*>(std::uintptr_t{1} << 20);
  constexpr index_t width = index_t{1} << 33, first = (index_t{1} << 32) + 64, k = index_t{1} << 22;
  std::vector<std::uintptr_t> from;
  tile_loader<operand_type, threads> const loader{5, base, nullptr, width, first, width, k + 17, true};
  loader.load(far_block{&from}, nullptr, k);
  // Thread 5: chunk 1 of lines 1 and 17; the second is past the end.
  REQUIRE(from.size() == 2);
  CHECK(from[0] == (std::uintptr_t{1} << 20) + 2 * static_cast<std::uintptr_t>((k + 1) * width + first + 8));
  CHECK(from[1] == 0);

  using along_type = shared_operand<bf16, lines::along_depth, extent, depth>;
  from.clear();
  auto const begin = [base](int line) { return base + line * width; };
  tile_loader<along_type, threads> const along{5, begin, width, true};
  along.load(far_block{&from}, nullptr, first);
  // Thread 5: chunk 1 of lines 1 and 17.
  REQUIRE(from.size() == 2);
  CHECK(from[0] == (std::uintptr_t{1} << 20) + 2 * static_cast<std::uintptr_t>(width + first + 8));
  CHECK(from[1] == from[0] + 2 * 16 * static_cast<std::uintptr_t>(width));
}
