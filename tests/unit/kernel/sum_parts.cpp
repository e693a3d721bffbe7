// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/sum_parts.hpp>

#include <cstring>
#include <doctest/doctest.h>
#include <heddle/core/dtype.hpp>
#include <vector>

using namespace heddle;

namespace {

template <class T>
std::vector<T> sums(std::vector<T> const& x, index_t parts, index_t height, index_t width) {
  std::vector<T> y(static_cast<std::size_t>(height * width), T(9.0F));
  kernel::sum_parts<T> const sum{.x = {x.data(), extents<tokens, hidden>{parts * height, width}},
                                 .parts = parts,
                                 .y = {y.data(), extents<tokens, hidden>{height, width}}};
  for (index_t row = 0; row < height; ++row) sum(serial_team{}, row);
  return y;
}

}  // namespace

TEST_CASE("parts are added in their order, in the wide type, and rounded once") {
  // 3 parts of [2, 35]: more than a tile.
  std::vector<float> x(3 * 70);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * i) % 97) / 7.0F;
  auto const y = sums(x, 3, 2, 35);
  bool same = true;
  for (std::size_t i = 0; i < 70; ++i) same = same && y[i] == (x[i] + x[70 + i]) + x[140 + i];
  CHECK(same);
  // 256 + 1 + 1 in bf16: rounded once it is 258, rounded twice 256.
  std::vector<bf16> const narrow{bf16(256.0F), bf16(1.0F), bf16(1.0F)};
  CHECK(static_cast<float>(sums(narrow, 3, 1, 1)[0]) == 258.0F);
  // The order: (1e30 - 1e30) + 1, not 1e30 + (1 - 1e30).
  CHECK(sums(std::vector<float>{1e30F, -1e30F, 1.0F}, 3, 1, 1)[0] == 1.0F);
}

TEST_CASE("one part is copied bit by bit, and nothing is no rows or columns") {
  std::uint32_t const signalling = 0x7fa00001;
  std::vector<float> x(1);
  std::memcpy(x.data(), &signalling, 4);
  CHECK(std::memcmp(sums(x, 1, 1, 1).data(), &signalling, 4) == 0);
  CHECK(sums(std::vector<float>{}, 2, 0, 3).empty());
  CHECK(sums(std::vector<float>{}, 2, 3, 0).empty());
}
