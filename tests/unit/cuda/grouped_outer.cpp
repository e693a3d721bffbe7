// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/grouped_outer.hpp>

#include <doctest/doctest.h>

#include "gemm_problem.hpp"
#include "lockstep.hpp"

using namespace heddle;
using namespace problem;

namespace {

struct sizes {
  std::vector<index_t> groups;
  index_t out, in;
  index_t shift = 0;  ///< elements by which the operands are off an aligned place
  bool gathers = false;
};

/// Which groups keep what was there: those without rows, where they are skipped.
template <class Named, class T>
void check(sizes const& of, lockstep::manner how = {}, bool adds = true, index_t blocks = 2) {
  auto const begins = begins_of(of.groups);
  index_t const all = begins.back(), groups = static_cast<index_t>(of.groups.size()), o = of.out, n = of.in;
  operand<T> const dy(all * o, 1, of.shift), x(all * n, 2, of.shift);
  auto const source = source_of(all, all > 0 ? all : 1);
  std::vector<float> dw(at(groups * o * n + 1), 5);
  using kernel_type = cuda::grouped_outer<Named, T, cuda::store_outer<float>>;
  kernel_type const kernel{.dy = dy.data,
                           .x = x.data,
                           .source = of.gathers ? source.data() : nullptr,
                           .begins = begins.data(),
                           .groups = groups,
                           .out = o,
                           .in = n,
                           .skips_empty = adds,
                           .store = {dw.data(), o, n, adds}};
  lockstep::run(kernel, Named::tile.threads(), kernel_type::shared_bytes(groups), blocks, how);
  index_t wrong = 0;
  for (index_t g = 0; g < groups; ++g) {
    for (index_t i = 0; i < o; ++i) {
      for (index_t j = 0; j < n; ++j) {
        double sum = adds ? 5 : 0;
        for (index_t r = begins[at(g)]; r < begins[at(g) + 1]; ++r) {
          index_t const from = of.gathers ? source[at(r)] : r;
          if (from >= 0) sum += dy(r * o + i) * x(from * n + j);
        }
        wrong += dw[at((g * o + i) * n + j)] != static_cast<float>(sum);
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(dw.back() == 5);
}

struct wide {
  static constexpr cuda::gemm_tile tile{
      .rows = 32, .columns = 64, .line = 64, .stages = 3, .row_warps = 2, .column_warps = 2};
};
struct tall {
  static constexpr cuda::gemm_tile tile{
      .rows = 64, .columns = 32, .line = 128, .stages = 2, .row_warps = 2, .column_warps = 1};
};

}  // namespace

TEST_CASE("grouped_outer: each group's sum over its rows, exact and added to what was there") {
  sizes const ragged{.groups = {0, 33, 1, 0, 150, 5}, .out = 40, .in = 72};
  check<wide, bf16>(ragged);
  check<wide, f16>(ragged);
  check<wide, float>(ragged);
  check<tall, bf16>(ragged);
  check<tall, float>(ragged);
}

TEST_CASE("grouped_outer: or written over it, zeros for a group without rows") {
  check<wide, bf16>({.groups = {0, 9, 0}, .out = 33, .in = 65}, {}, false);
}

TEST_CASE("grouped_outer: sizes and addresses need no alignment") {
  for (sizes const& odd :
       {sizes{.groups = {3, 40}, .out = 37, .in = 41}, sizes{.groups = {17, 9}, .out = 64, .in = 64, .shift = 1},
        sizes{.groups = {2}, .out = 1, .in = 1}}) {
    check<wide, bf16>(odd);
    check<wide, float>(odd);
  }
}

TEST_CASE("grouped_outer: rows of x are gathered") {
  check<wide, bf16>({.groups = {21, 0, 50}, .out = 40, .in = 72, .gathers = true});
  check<tall, float>({.groups = {30}, .out = 9, .in = 13, .gathers = true});
}

TEST_CASE("grouped_outer: it depends neither on when a copy arrives nor on who runs first") {
  for (bool last_first : {false, true}) {
    for (bool copies_late : {false, true}) {
      check<wide, bf16>({.groups = {232, 7}, .out = 72, .in = 136}, {last_first, copies_late});
      check<wide, float>({.groups = {84}, .out = 34, .in = 72}, {last_first, copies_late});
    }
  }
}

TEST_CASE("grouped_outer: the tiles that are compiled") {
  check<cuda::few_rows, bf16>({.groups = {90}, .out = 24, .in = 136}, {.copies_late = true}, true, 1);
  check<cuda::some_rows, f16>({.groups = {90}, .out = 72, .in = 40}, {.copies_late = true}, true, 1);
  check<cuda::many_rows, bf16>({.groups = {90}, .out = 136, .in = 136}, {.copies_late = true}, true, 1);
}

TEST_CASE("grouped_outer: nothing to sum and nothing to write") {
  check<wide, bf16>({.groups = {}, .out = 8, .in = 8});
  check<wide, bf16>({.groups = {4}, .out = 0, .in = 8});
  check<wide, bf16>({.groups = {4}, .out = 8, .in = 0});
}

TEST_CASE("grouped_outer: rows and results whose elements no 32 bits can number") {
  constexpr index_t far = (index_t{1} << 32) + 3, height = 37, groups = index_t{1} << 17, last = groups - 1;
  constexpr index_t o = 136, n = 160;
  far_operand<bf16> const dy(far * o, height * o, 1), x(far * n, height * n, 2);
  far_operand<float> const dw(last * o * n, o * n, 3);
  std::vector<float> const before(dw.data + last * o * n, dw.data + groups * o * n);
  std::vector<index_t> begins(at(groups + 1), far);
  begins.back() = far + height;
  using kernel_type = cuda::grouped_outer<wide, bf16, cuda::store_outer<float>>;
  kernel_type const kernel{.dy = dy.data,
                           .x = x.data,
                           .begins = begins.data(),
                           .groups = groups,
                           .out = o,
                           .in = n,
                           .store = {dw.data, o, n, true}};
  // One block for each tile, and of them those of the last group alone: the others have nothing to do.
  index_t const tiles = cuda::pieces(o, 32) * cuda::pieces(n, 64);
  for (index_t number = last * tiles; number < groups * tiles; ++number)
    lockstep::world(wide::tile.threads(), kernel_type::shared_bytes(groups), number, groups * tiles, {}).run(kernel);
  index_t wrong = 0;
  for (index_t i = 0; i < o; ++i) {
    for (index_t j = 0; j < n; ++j) {
      double sum = before[at(i * n + j)];
      for (index_t r = far; r < far + height; ++r) sum += dy(r * o + i) * x(r * n + j);
      wrong += dw((last * o + i) * n + j) != sum;
    }
  }
  CHECK(wrong == 0);
}
