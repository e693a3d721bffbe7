// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/copy_bytes.hpp>

#include <doctest/doctest.h>

#include <vector>

#include "sample.hpp"

using namespace heddle;

namespace {

struct moved {
  std::byte const* from = nullptr;
  std::byte* to = nullptr;
  std::byte* filled = nullptr;
  index_t bytes = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    kernel::copy_bytes(team, bytes, from, to);
    kernel::fill_bytes(team, bytes, std::byte{0x5c}, filled);
  }
};

}  // namespace

TEST_CASE("copy_bytes: all bytes and no others, wherever they begin and however many they are") {
  for (int lanes : {0, 1, 4}) {
    int wrong = 0;
    for (index_t const bytes : {0, 1, 15, 16, 17, 48, 100}) {
      for (std::size_t from = 0; from < 17; from += 4) {
        for (std::size_t to = 0; to < 17; ++to) {
          std::vector<kernel::wide_word> in(10), out(10), zero(10);  // aligned to 16
          auto* const x = reinterpret_cast<std::byte*>(in.data());
          auto* const y = reinterpret_cast<std::byte*>(out.data());
          auto* const z = reinterpret_cast<std::byte*>(zero.data());
          for (std::size_t i = 0; i < 160; ++i) {
            x[i] = static_cast<std::byte>(1 + i);
            y[i] = z[i] = std::byte{0xee};
          }
          sample::launch(moved{.from = x + from, .to = y + to, .filled = z + to, .bytes = bytes}, 1, lanes);
          auto const count = static_cast<std::size_t>(bytes);
          for (std::size_t i = 0; i < 160; ++i) {
            bool const inside = i >= to && i < to + count;
            wrong += y[i] != (inside ? x[from + i - to] : std::byte{0xee});
            wrong += z[i] != (inside ? std::byte{0x5c} : std::byte{0xee});
          }
        }
      }
    }
    CHECK(wrong == 0);
  }
}
