// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using heddle::box;
using heddle::checkpoint::shard_store;
using heddle::checkpoint::shared_shard;

box const half{{{{0, 8}}, {{0, 4}}}};
box const other_half{{{{8, 8}}, {{0, 4}}}};

/// Runs body(rank) on `ranks` threads that start together.
template <class Body>
void on_threads(int ranks, Body&& body) {
  std::barrier start{ranks};
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      start.arrive_and_wait();
      body(rank);
    });
  }
}

}  // namespace

TEST_CASE("store: thread ranks that own the same box share one copy, loaded once") {
  for (int repeat = 0; repeat < 50; ++repeat) {
    shard_store store;
    std::atomic<int> loads = 0;
    std::vector<shared_shard<float>> shards(8);
    on_threads(8, [&](int rank) {
      box const& mine = rank % 2 == 0 ? half : other_half;
      shards[static_cast<std::size_t>(rank)] = store.get<float>("w", mine, [&](std::span<float> out) {
        ++loads;
        std::this_thread::yield();
        std::fill(out.begin(), out.end(), static_cast<float>(rank % 2));
      });
    });
    CHECK(loads == 2);
    CHECK(store.bytes_held() == 2 * 32 * sizeof(float));
    CHECK(store.bytes_peak() == 2 * 32 * sizeof(float));
    for (std::size_t rank = 0; rank < 8; ++rank) {
      CHECK(shards[rank].values.data() == shards[rank % 2].values.data());
      CHECK(shards[rank].values.size() == 32);
      CHECK(shards[rank].values[31] == static_cast<float>(rank % 2));
      CHECK(reinterpret_cast<std::uintptr_t>(shards[rank].values.data()) % 64 == 0);
    }
  }
}

TEST_CASE("store: memory goes with its last user, and the next asker loads again") {
  shard_store store;
  int loads = 0;
  auto const load = [&](std::span<float> out) {
    ++loads;
    std::fill(out.begin(), out.end(), 1.0F);
  };
  auto first = store.get<float>("w", half, load);
  auto second = store.get<float>("w", half, load);
  CHECK(loads == 1);
  first = {};
  CHECK(store.bytes_held() == 128);
  second = {};
  CHECK(store.bytes_held() == 0);
  CHECK(store.bytes_peak() == 128);
  second = store.get<float>("w", half, load);
  CHECK(loads == 2);
  CHECK(store.bytes_peak() == 128);
}

TEST_CASE("store: parameter, box and type tell shards apart") {
  shard_store store;
  int loads = 0;
  auto const load = [&](auto) { ++loads; };
  auto const a = store.get<float>("w", half, load);
  auto const b = store.get<float>("v", half, load);
  auto const c = store.get<float>("w", other_half, load);
  auto const d = store.get<heddle::bf16>("w", half, load);
  auto const e = store.get<float>("w", box{{{{0, 4}, {4, 4}}, {{0, 4}}}}, load);
  // Names that look like a part of another shard's key.
  auto const f = store.get<float>("x", box{{{{0, 4}}}}, load);
  auto const g = store.get<float>("0+4,|x", box{}, load);
  auto const h = store.get<float>(std::string_view("w\0z", 3), half, load);
  CHECK(loads == 8);
  CHECK(store.bytes_held() == 128 + 128 + 128 + 64 + 128 + 16 + 4 + 128);
}

TEST_CASE("store: shards outlive the store, and empty boxes are shards too") {
  shared_shard<std::int64_t> kept, empty;
  {
    shard_store store;
    kept = store.get<std::int64_t>("w", half, [](std::span<std::int64_t> out) { out[0] = 7; });
    empty = store.get<std::int64_t>("w", box{{{{3, 0}}}}, [](std::span<std::int64_t> out) { CHECK(out.empty()); });
    CHECK(store.bytes_held() == 32 * 8);
  }
  CHECK(kept.values[0] == 7);
  CHECK(empty.values.empty());
  CHECK(empty.owner != nullptr);
}

TEST_CASE("store: the failure of the loader reaches all who wait, and the next asker tries again") {
  for (int repeat = 0; repeat < 20; ++repeat) {
    shard_store store;
    std::atomic<int> loads = 0, failures = 0, asked = 0;
    on_threads(6, [&](int) {
      ++asked;
      try {
        static_cast<void>(store.get<float>("w", half, [&](std::span<float>) {
          ++loads;
          while (asked < 6) std::this_thread::yield();
          throw heddle::error(heddle::error_kind::io, "no disk");
        }));
      } catch (heddle::error const& failure) {
        failures += failure.text() == "no disk" ? 1 : 0;
      }
    });
    CHECK(failures == 6);
    CHECK(loads >= 1);  // a thread that came after the failure tried anew
    CHECK(store.bytes_held() == 0);
    auto const good = store.get<float>("w", half, [](std::span<float> out) { out[0] = 1.0F; });
    CHECK(good.values[0] == 1.0F);
  }
  shard_store store;
  CHECK_THROWS_AS(
      static_cast<void>(store.get<float>("w", half, [](std::span<float>) { throw std::runtime_error("other"); })),
      std::runtime_error);
  CHECK(store.bytes_held() == 0);
}

TEST_CASE("store: a load may ask for another shard") {
  shard_store store;
  auto const outer = store.get<float>("outer", half, [&](std::span<float> out) {
    auto const inner = store.get<float>("inner", half, [](std::span<float> values) { values[0] = 2.0F; });
    out[0] = inner.values[0] + 1.0F;
  });
  CHECK(outer.values[0] == 3.0F);
  CHECK(store.bytes_held() == 128);
  CHECK(store.bytes_peak() == 256);
}

TEST_CASE("store: coming and going from many threads") {
  shard_store store;
  std::atomic<int> wrong = 0;
  on_threads(4, [&](int rank) {
    for (int step = 0; step < 500; ++step) {
      int const which = (step + rank) % 3;
      auto const shard = store.get<std::int32_t>("w" + std::to_string(which), half, [&](std::span<std::int32_t> out) {
        std::fill(out.begin(), out.end(), which);
      });
      wrong += std::count(shard.values.begin(), shard.values.end(), which) == 32 ? 0 : 1;
    }
  });
  CHECK(wrong == 0);
  CHECK(store.bytes_held() == 0);
  CHECK(store.bytes_peak() <= 4 * 128);
}
