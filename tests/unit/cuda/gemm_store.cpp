// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_store.hpp>

#include <doctest/doctest.h>

#include <cmath>

#include "gemm_problem.hpp"
#include "lockstep.hpp"

using namespace heddle;
using namespace problem;
using namespace heddle::cuda;

namespace {

constexpr float poison = -77;
constexpr float sums[store_width] = {1, -2, 3, -4, 5, -6, 7, -8.5F};

/// What a store leaves in a matrix [4, width] that begins off an aligned place.
template <class Y, class Make>
std::vector<float> stored(index_t width, index_t shift, Make make, index_t row, index_t column, int valid) {
  operand<Y> const y(4 * width, 1, shift);
  for (index_t i = 0; i < 4 * width; ++i) y.data[i] = static_cast<Y>(poison);
  make(y.data)(0, row, column, sums, valid);
  std::vector<float> all;
  for (index_t i = 0; i < 4 * width; ++i) all.push_back(static_cast<float>(y.data[i]));
  return all;
}

template <class Y>
void check_rows(index_t width, index_t shift, int valid) {
  auto const all = stored<Y>(
      width, shift,
      [&](Y* y) {
        return store_rows<Y>{y, width};
      },
      2, 8, valid);
  for (index_t i = 0; i < 4 * width; ++i) {
    index_t const part = i - (2 * width + 8);
    CHECK(all[at(i)] == (part >= 0 && part < valid ? sums[part] : poison));
  }
}

}  // namespace

TEST_CASE("gemm_store: rows, aligned or not, whole or not, and nothing beside them") {
  for (index_t width : {16, 17, 24}) {
    for (index_t shift : {0, 1}) {
      for (int valid : {8, 5, 1}) {
        check_rows<float>(width, shift, valid);
        check_rows<bf16>(width, shift, valid);
        check_rows<f16>(width, shift, valid);
      }
    }
  }
}

TEST_CASE("gemm_store: an activation joins neighbouring columns, and keeps what it joined") {
  for (int valid : {8, 6}) {
    std::vector<float> kept(4 * 20, poison);
    auto const all = stored<float>(
        10, 0,
        [&](float* y) {
          return store_glu<kernel::silu, float>{y, kept.data(), 20};
        },
        3, 8, valid);
    for (index_t i = 0; i < 40; ++i) {
      index_t const pair = i - (3 * 10 + 4);
      if (pair < 0 || pair >= valid / 2) CHECK(all[at(i)] == poison);
      else {
        double const gate = sums[2 * pair], up = sums[2 * pair + 1];
        CHECK(std::abs(all[at(i)] - gate / (1 + std::exp(-gate)) * up) <= 1e-5);
      }
    }
    for (index_t i = 0; i < 80; ++i) {
      index_t const part = i - (3 * 20 + 8);
      CHECK(kept[at(i)] == (part >= 0 && part < valid ? sums[part] : poison));
    }
  }
  auto const all = stored<float>(
      10, 0, [&](float* y) { return store_glu<kernel::reglu, float>{.y = y, .width = 20}; }, 0, 0, 8);
  CHECK(all[0] == -2);
  CHECK(all[3] == 7 * -8.5F);
}

TEST_CASE("gemm_store: rows go where they came from, scaled, or nowhere") {
  std::vector<std::int32_t> const to_row{3, -1, 0};
  std::vector<float> const scale{0.5F, 1, 2};
  auto const make = [&](float* y) { return store_scattered<float>{y, to_row.data(), scale.data(), 16}; };
  auto const first = stored<float>(16, 0, make, 0, 8, 7);
  auto const none = stored<float>(16, 0, make, 1, 8, 8);
  auto const plain = stored<float>(
      16, 1, [&](float* y) { return store_scattered<float>{.y = y, .to_row = to_row.data(), .width = 16}; }, 2, 0, 8);
  for (index_t i = 0; i < 64; ++i) {
    index_t const part = i - (3 * 16 + 8);
    CHECK(first[at(i)] == (part >= 0 && part < 7 ? 0.5F * sums[part] : poison));
    CHECK(none[at(i)] == poison);
    CHECK(plain[at(i)] == (i < store_width ? sums[i] : poison));
  }
}

TEST_CASE("gemm_store: gradients add to what is there, or do not") {
  for (bool adds : {true, false}) {
    std::vector<float> w(2 * 3 * 9, 100);
    store_outer<float>{w.data(), 3, 9, adds}(1, 2, 8, sums, 1);
    for (index_t i = 0; i < 54; ++i) CHECK(w[at(i)] == (i == 53 ? (adds ? 101 : 1) : 100));
  }
}

TEST_CASE("gemm_store: every sum of the part goes to the store, in order of its columns") {
  constexpr gemm_tile tile{.rows = 64, .columns = 64, .line = 64, .stages = 3, .row_warps = 2, .column_warps = 2};
  static_assert(tile.sound());
  struct size {
    index_t rows, columns;
  };
  for (size const of : {size{64, 64}, size{33, 61}, size{1, 1}, size{100, 100}}) {
    std::vector<float> out(at(110 * 110), poison);
    auto const kernel = [&](lockstep::block const& block) {
      lane_sums<tile> own;
      warp_place const place = place_of_warp<tile>(block.thread());
      for (int r = 0; r < lane_sums<tile>::row_blocks; ++r)
        for (int c = 0; c < lane_sums<tile>::column_blocks; ++c)
          for (int i = 0; i < 4; ++i) {
            sum_place const in = sum_of(place.lane, i);
            own.of[r][c][i] = static_cast<float>((place.row + r * 16 + in.row) * 64 + place.column + c * 8 + in.column);
          }
      auto const store = [&](index_t group, index_t row, index_t column, float const* values, int valid) {
        CHECK(group == 6);
        for (int i = 0; i < valid; ++i) out[at(row * 110 + column + i)] = values[i];
      };
      store_sums<tile>(block, own, {.group = 6, .row = 5, .rows = of.rows, .column = 3, .columns = of.columns}, store);
    };
    lockstep::run(kernel, tile.threads(), tile.shared_bytes(), 1, {});
    int wrong = 0;
    for (index_t i = 0; i < 110; ++i) {
      for (index_t j = 0; j < 110; ++j) {
        index_t const r = i - 5, c = j - 3;
        bool const inside = r >= 0 && r < of.rows && r < 64 && c >= 0 && c < of.columns && c < 64;
        wrong += out[at(i * 110 + j)] != (inside ? static_cast<float>(r * 64 + c) : poison);
      }
    }
    CHECK(wrong == 0);
  }
}
