// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/grouped_rows.hpp>

#include <doctest/doctest.h>

#include "gemm_problem.hpp"
#include "lockstep.hpp"

using namespace heddle;
using namespace problem;
using cuda::gemm_tile;
using cuda::lines;

namespace {

constexpr float poison = -77;

struct sizes {
  std::vector<index_t> groups;
  index_t columns, depth;
  index_t shift = 0;  ///< elements by which the operands are off an aligned place
  bool gathers = false;
};

template <class Named, class T, lines Weights>
void check(sizes const& of, index_t blocks, lockstep::manner how) {
  auto const begins = begins_of(of.groups);
  index_t const all = begins.back(), groups = static_cast<index_t>(of.groups.size()), n = of.columns, k = of.depth;
  operand<T> const x(all * k, 1, of.shift), w(groups * n * k, 2, of.shift);
  auto const source = source_of(all, all > 0 ? all : 1);
  std::vector<float> y(at(all * n + 1), poison);
  using kernel_type = cuda::grouped_rows<Named, T, Weights, cuda::store_rows<float>>;
  kernel_type const kernel{.x = x.data,
                           .source = of.gathers ? source.data() : nullptr,
                           .w = w.data,
                           .begins = begins.data(),
                           .groups = groups,
                           .columns = n,
                           .depth = k,
                           .store = {y.data(), n}};
  lockstep::run(kernel, Named::tile.threads(), kernel_type::shared_bytes(groups), blocks, how);
  index_t wrong = 0;
  for (index_t g = 0; g < groups; ++g) {
    for (index_t r = begins[at(g)]; r < begins[at(g) + 1]; ++r) {
      index_t const from = of.gathers ? source[at(r)] : r;
      for (index_t c = 0; c < n; ++c) {
        double sum = 0;
        for (index_t i = 0; i < k && from >= 0; ++i)
          sum += x(from * k + i) * w(Weights == lines::along_depth ? (g * n + c) * k + i : (g * k + i) * n + c);
        wrong += y[at(r * n + c)] != static_cast<float>(sum);
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(y.back() == poison);
}

template <class Named, class T>
void check_both(sizes const& of, index_t blocks = 3, lockstep::manner how = {}) {
  check<Named, T, lines::along_depth>(of, blocks, how);
  check<Named, T, lines::across_depth>(of, blocks, how);
}

// Small tiles with what the large ones have: several warps each way, several fragments a warp, lines of both lengths.
struct wide {
  static constexpr gemm_tile tile{
      .rows = 32, .columns = 64, .line = 64, .stages = 3, .row_warps = 2, .column_warps = 2};
};
struct tall {
  static constexpr gemm_tile tile{
      .rows = 64, .columns = 32, .line = 128, .stages = 2, .row_warps = 2, .column_warps = 1};
};
static_assert(wide::tile.sound() && tall::tile.sound());

}  // namespace

TEST_CASE("grouped_rows: ragged and empty groups are their exact products, whatever the storage of the weights") {
  sizes const ragged{.groups = {0, 33, 1, 0, 70, 5, 0}, .columns = 72, .depth = 104};
  check_both<wide, bf16>(ragged);
  check_both<wide, f16>(ragged);
  check_both<wide, float>(ragged);
  check_both<tall, bf16>(ragged);
  check_both<tall, float>(ragged);
}

TEST_CASE("grouped_rows: sizes and addresses need no alignment") {
  for (sizes const& odd : {sizes{.groups = {3, 40}, .columns = 37, .depth = 41},
                           sizes{.groups = {17, 9}, .columns = 64, .depth = 64, .shift = 1},
                           sizes{.groups = {2}, .columns = 1, .depth = 1}}) {
    check_both<wide, bf16>(odd);
    check_both<wide, float>(odd);
  }
}

TEST_CASE("grouped_rows: rows are gathered, and a source of -1 is a row of zeros") {
  sizes const gathered{.groups = {21, 0, 50}, .columns = 40, .depth = 72, .gathers = true};
  check_both<wide, bf16>(gathered);
  check_both<wide, float>(gathered);
  check_both<tall, f16>({.groups = {30}, .columns = 9, .depth = 13, .gathers = true});
}

TEST_CASE("grouped_rows: it depends neither on when a copy arrives nor on who runs first") {
  sizes const ragged{.groups = {65, 2, 40}, .columns = 136, .depth = 232};
  for (bool last_first : {false, true}) {
    for (bool copies_late : {false, true}) {
      check_both<wide, bf16>(ragged, 2, {last_first, copies_late});
      check_both<wide, float>({.groups = {34}, .columns = 70, .depth = 84}, 1, {last_first, copies_late});
    }
  }
}

TEST_CASE("grouped_rows: the tiles that are compiled") {
  sizes const some{.groups = {19, 0, 3}, .columns = 136, .depth = 80};
  check_both<cuda::few_rows, bf16>(some, 1, {.copies_late = true});
  check_both<cuda::some_rows, f16>(some, 1, {.copies_late = true});
  check_both<cuda::many_rows, bf16>(some, 1, {.copies_late = true});
  check_both<cuda::many_rows, float>({.groups = {19}, .columns = 20, .depth = 33}, 1, {});
}

TEST_CASE("grouped_rows: nothing to multiply, nothing to sum, more blocks than tiles") {
  check_both<wide, bf16>({.groups = {}, .columns = 8, .depth = 8});
  check_both<wide, bf16>({.groups = {0, 0}, .columns = 8, .depth = 8});
  check_both<wide, bf16>({.groups = {4}, .columns = 0, .depth = 8});
  check_both<wide, bf16>({.groups = {4, 2}, .columns = 8, .depth = 0});  // sums of nothing are zeros
  check_both<wide, bf16>({.groups = {4, 2}, .columns = 8, .depth = 8}, 9);
}

TEST_CASE("grouped_rows: rows whose elements no 32 bits can number") {
  constexpr index_t far = (index_t{1} << 32) + 3, height = 5, n = 24, k = 40;
  far_operand<bf16> const x(far * k, height * k, 1);
  operand<bf16> const w(n * k, 2);
  far_operand<float> const y(far * n, height * n, 3);
  std::vector<index_t> const begins{far, far + height};
  using kernel_type = cuda::grouped_rows<wide, bf16, lines::along_depth, cuda::store_rows<float>>;
  kernel_type const kernel{
      .x = x.data, .w = w.data, .begins = begins.data(), .groups = 1, .columns = n, .depth = k, .store = {y.data, n}};
  lockstep::run(kernel, wide::tile.threads(), kernel_type::shared_bytes(1), 1, {});
  for (index_t r = far; r < far + height; ++r) {
    for (index_t c = 0; c < n; ++c) {
      double sum = 0;
      for (index_t i = 0; i < k; ++i) sum += x(r * k + i) * w(c * k + i);
      CHECK(y(r * n + c) == sum);
    }
  }
}

TEST_CASE("grouped_rows: weights of a group beyond 2^31 elements, and gathered rows as far out") {
  constexpr index_t groups = index_t{1} << 17, last = groups - 1, n = 160, k = 136, from = (index_t{1} << 31) - 1;
  far_operand<bf16> const x(from * k, k, 1), w(last * n * k, n * k, 2);
  std::vector<std::int32_t> const source{static_cast<std::int32_t>(from)};
  std::vector<float> y(n, poison);
  std::vector<index_t> begins(at(groups + 1));
  begins.back() = 1;
  auto const run = [&]<lines Weights>(std::integral_constant<lines, Weights>) {
    using kernel_type = cuda::grouped_rows<wide, bf16, Weights, cuda::store_rows<float>>;
    kernel_type const kernel{.x = x.data,
                             .source = source.data(),
                             .w = w.data,
                             .begins = begins.data(),
                             .groups = groups,
                             .columns = n,
                             .depth = k,
                             .store = {y.data(), n}};
    lockstep::run(kernel, wide::tile.threads(), kernel_type::shared_bytes(groups), 1, {});
    for (index_t c = 0; c < n; ++c) {
      double sum = 0;
      for (index_t i = 0; i < k; ++i)
        sum += x(from * k + i) * w(last * n * k + (Weights == lines::along_depth ? c * k + i : i * n + c));
      CHECK(y[at(c)] == static_cast<float>(sum));
    }
  };
  run(std::integral_constant<lines, lines::along_depth>{});
  run(std::integral_constant<lines, lines::across_depth>{});
}
