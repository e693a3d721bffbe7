// SPDX-License-Identifier: Apache-2.0
// The order by expert on a GPU against a sort on the host: by scans of warps, and by those of CUB.
#include <heddle/cuda/cub_scan.cuh>
#include <heddle/cuda/index_build.cuh>

#include <doctest/doctest.h>

#include "device_list.cuh"

// No `using namespace heddle`: the toolkit has a namespace cuda of its own.
namespace hc = heddle::cuda;
using heddle::extents;
using heddle::index_t;
using numbers = std::vector<std::int32_t>;

namespace {

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

struct lists {
  std::vector<index_t> counts, begins;
  numbers tokens, slots, places;
  friend bool operator==(lists const&, lists const&) = default;
};

/// By a count, a sum and a walk over the pairs.
lists plain(numbers const& ids, index_t k, index_t first, index_t experts, index_t room) {
  lists out{std::vector<index_t>(at(experts)), std::vector<index_t>(at(experts + 1)), numbers(at(room), -1),
            numbers(at(room), -1), numbers(ids.size(), -1)};
  auto const mine = [&](std::int32_t id) { return id >= first && id < first + experts; };
  for (std::int32_t const id : ids) out.counts[mine(id) ? at(id - first) : 0] += mine(id) ? 1 : 0;
  for (index_t e = 0; e < experts; ++e) out.begins[at(e + 1)] = out.begins[at(e)] + out.counts[at(e)];
  auto next = out.begins;
  for (std::size_t pair = 0; pair < ids.size(); ++pair) {
    if (!mine(ids[pair])) continue;
    index_t const row = next[at(ids[pair] - first)]++;
    out.places[pair] = static_cast<std::int32_t>(row);
    out.tokens[at(row)] = static_cast<std::int32_t>(static_cast<index_t>(pair) / k);
    out.slots[at(row)] = static_cast<std::int32_t>(static_cast<index_t>(pair) % k);
  }
  return out;
}

enum class by { warps, cub };

lists on_a_gpu(numbers const& ids, index_t k, index_t first, index_t experts, index_t room, by scan) {
  on_gpu::list<std::int32_t> const given{ids}, tokens{numbers(at(room), 77)}, slots{numbers(at(room), 77)},
      places{numbers(ids.size(), 77)};
  on_gpu::list<index_t> const counts{std::vector<index_t>(at(experts), 77)},
      begins{std::vector<index_t>(at(experts + 1), 77)};
  auto const pairs = static_cast<index_t>(ids.size());
  numbers const table(at(hc::index_build_scratch(pairs, experts)), 77);
  on_gpu::list<std::int32_t> const scratch{table};
  extents<heddle::tokens, heddle::slots> const shape{pairs / k, k};
  hc::index_lists<heddle::device_memory> const to{.ids = {given.data(), shape},
                                                  .first = first,
                                                  .counts = {counts.data(), extents<heddle::tokens>{experts}},
                                                  .begins = {begins.data(), extents<heddle::tokens>{experts + 1}},
                                                  .row_to_token = {tokens.data(), extents<heddle::tokens>{room}},
                                                  .row_to_slot = {slots.data(), extents<heddle::tokens>{room}},
                                                  .slot_to_row = {places.data(), shape}};
  if (scan == by::cub) hc::launch_index_build_of<8, hc::cub_scan<8>>(to, scratch.data(), on_gpu::queue());
  else hc::launch_index_build(to, {scratch.data(), table.size()}, on_gpu::queue());
  return {counts.get(), begins.get(), tokens.get(), slots.get(), places.get()};
}

numbers some_ids(index_t count, index_t all) {
  numbers ids;
  std::uint32_t state = static_cast<std::uint32_t>(count + all);
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    ids.push_back(static_cast<std::int32_t>(state / 65536 % static_cast<std::uint32_t>(all + 1)) - 1);
    if (ids.back() == 2 || i % 900 > 600) ids.back() = static_cast<std::int32_t>(all / 2);
  }
  return ids;
}

}  // namespace

TEST_CASE("index build on a GPU: one launch and two, few experts and many, a part of them") {
  for (index_t const pairs : {0, 8, 2040, 2048, 2056, 70000, 600008}) {
    for (index_t const all : {1, 3, 64, 256, 1000}) {
      CAPTURE(pairs);
      CAPTURE(all);
      auto const ids = some_ids(pairs, all);
      auto const whole = plain(ids, 8, 0, all, pairs + 100), part = plain(ids, 4, all / 3, all / 2, pairs);
      CHECK(on_a_gpu(ids, 8, 0, all, pairs + 100, by::warps) == whole);
      CHECK(on_a_gpu(ids, 4, all / 3, all / 2, pairs, by::warps) == part);
      CHECK(on_a_gpu(ids, 8, 0, all, pairs + 100, by::cub) == whole);
    }
  }
  auto const ids = some_ids(20000, 5000);
  CHECK(on_a_gpu(ids, 4, 0, 5000, 20000, by::warps) == plain(ids, 4, 0, 5000, 20000));
}

TEST_CASE("index build on a GPU: what does not fit is refused before a launch") {
  auto const refused = [](index_t pairs, index_t room, index_t experts, std::size_t scratch) {
    extents<heddle::tokens, heddle::slots> const shape{pairs, 1};
    hc::index_lists<heddle::device_memory> const to{.ids = {nullptr, shape},
                                                    .begins = {nullptr, extents<heddle::tokens>{experts + 1}},
                                                    .row_to_token = {nullptr, extents<heddle::tokens>{room}},
                                                    .row_to_slot = {nullptr, extents<heddle::tokens>{room}},
                                                    .slot_to_row = {nullptr, shape}};
    try {
      hc::launch_index_build(to, {static_cast<std::int32_t*>(nullptr), scratch}, on_gpu::queue());
    } catch (heddle::error const& problem) {
      return problem.kind();
    }
    return heddle::error_kind::device;
  };
  CHECK(refused(index_t{1} << 31, index_t{1} << 31, 4, 1000) == heddle::error_kind::argument);
  CHECK(refused(100, 100, 9000, 0) == heddle::error_kind::argument);
  CHECK(refused(100, 99, 4, 0) == heddle::error_kind::workspace);
  CHECK(refused(10000, 10000, 4, 10) == heddle::error_kind::workspace);
}
