// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/mover.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

TEST_CASE("host mover: bytes are copied, also where they overlap, and nothing is copied from nowhere") {
  host::mover const moves;
  static_assert(!host::mover::deferred && std::is_empty_v<host::mover>);
  std::vector<std::uint8_t> data{1, 2, 3, 4, 5, 0};
  moves.copy(nullptr, nullptr, 0);
  moves.store(data.data() + 1, data.data(), 5);
  CHECK(data == std::vector<std::uint8_t>{1, 1, 2, 3, 4, 5});
  moves.copy(data.data(), data.data() + 4, 2);
  CHECK(data == std::vector<std::uint8_t>{4, 5, 2, 3, 4, 5});
}

TEST_CASE("host mover: a sum is taken in the order of ranks, in the wide type, and goes to every target") {
  constexpr int ranks = 3;
  for (index_t const count : {0, 1, 511, 513, 1500}) {
    std::vector<std::vector<bf16>> data(ranks);
    for (int rank = 0; rank < ranks; ++rank) {
      for (index_t i = 0; i < count; ++i) {
        data[static_cast<std::size_t>(rank)].push_back(bf16{static_cast<float>((i * 37 + rank * 11) % 101) * 0.37F});
      }
    }
    std::vector<bf16> expected;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      expected.push_back(
          bf16{static_cast<float>(data[0][i]) + static_cast<float>(data[1][i]) + static_cast<float>(data[2][i])});
    }
    auto const of = [&](int rank) { return data[static_cast<std::size_t>(rank)].data(); };
    host::mover{}.sum<bf16>(ranks, of, ranks, of, count);  // in place
    for (auto const& each : data) {
      REQUIRE(each.size() == expected.size());
      for (std::size_t i = 0; i < each.size(); ++i) CHECK(each[i].bits == expected[i].bits);
    }
  }
}

TEST_CASE("host mover: memory is aligned for every element") {
  auto const memory = host::mover{}.allocate(100);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.get()) % alignof(std::max_align_t) == 0);
  CHECK(host::mover{}.allocate(0) != nullptr);
}
