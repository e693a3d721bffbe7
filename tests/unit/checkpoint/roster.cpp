// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/roster.hpp>

#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::box;
using heddle::dtype;
using heddle::shape_t;

std::string const bytes(4096, 'x');

shard_entry entry(std::string name, shape_t shape, box part, dtype type = dtype::u8) {
  auto const size = static_cast<std::size_t>(part.count()) * heddle::size_of(type);
  return {std::move(name), type, std::move(shape), std::move(part), bytes_of(bytes).first(size)};
}

/// What the ranks with these entries learn; all ranks must agree. Kinds of errors where they throw.
struct outcome {
  roster all;
  std::vector<std::string> kinds;
};
outcome share(std::vector<std::vector<shard_entry>> const& entries) {
  heddle::host::thread_world world{static_cast<int>(entries.size())};
  std::vector<roster> seen(entries.size());
  outcome result{{}, std::vector<std::string>(entries.size())};
  heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
    auto const rank = static_cast<std::size_t>(group.rank());
    result.kinds[rank] = kind_from([&] { seen[rank] = share_roster(group, entries[rank]); });
  });
  for (roster const& each : seen) {
    REQUIRE(each.size() == seen[0].size());
    for (auto const& [name, tensor] : each) CHECK(tensor.parts.size() == seen[0].at(name).parts.size());
  }
  result.all = seen[0];
  return result;
}
std::vector<std::string> every(std::string const& kind, std::size_t ranks) { return std::vector(ranks, kind); }

box rows(std::int64_t begin, std::int64_t size, std::int64_t columns = 3) {
  return box{{{{begin, size}}, {{0, columns}}}};
}

}  // namespace

TEST_CASE("roster: one owner for each part, the first rank that holds it; empty parts have none") {
  auto const [all, kinds] = share({{entry("a", {5, 3}, rows(0, 2)), entry("w", {2, 3}, rows(0, 2))},
                                   {entry("a", {5, 3}, rows(2, 3)), entry("w", {2, 3}, rows(0, 2))},
                                   {entry("a", {5, 3}, rows(0, 2)), entry("only\n here", {}, {})},
                                   {entry("a", {5, 3}, rows(5, 0)), entry("z", {0, 3}, rows(0, 0))}});
  CHECK(kinds == every("none", 4));
  REQUIRE(all.size() == 4);
  REQUIRE(all.at("a").parts.size() == 2);
  CHECK(all.at("a").parts[0].rank == 0);
  CHECK(all.at("a").parts[1].rank == 1);
  CHECK(all.at("a").parts[1].where == rows(2, 3));
  CHECK(all.at("a").shape == shape_t{5, 3});
  REQUIRE(all.at("w").parts.size() == 1);
  CHECK(all.at("w").parts[0].rank == 0);
  CHECK(all.at("only\n here").parts.at(0).rank == 2);
  CHECK(all.at("z").parts.at(0).rank == 3);
  CHECK(all.at("a").type == dtype::u8);
}

TEST_CASE("roster: parts of a packed axis, uncut or in other words, are one part") {
  box const packed{{{{0, 2}, {2, 2}}, {{0, 3}}}}, plain = rows(0, 4);
  auto const [all, kinds] = share({{entry("a", {4, 3}, packed)}, {entry("a", {4, 3}, plain)}});
  CHECK(kinds == every("none", 2));
  CHECK(all.at("a").parts.size() == 1);
  auto const halves = share({{entry("b", {4, 3}, box{{{{0, 1}, {2, 1}}, {{0, 3}}}})},
                             {entry("b", {4, 3}, box{{{{1, 1}, {3, 1}}, {{0, 3}}}})}});
  CHECK(halves.kinds == every("none", 2));
  CHECK(halves.all.at("b").parts.size() == 2);
}

TEST_CASE("roster: what cannot be one tensor is refused on every rank") {
  auto const kinds = [](std::vector<std::vector<shard_entry>> const& entries) { return share(entries).kinds; };
  shard_entry const whole = entry("a", {4, 3}, rows(0, 4));
  CHECK(kinds({{whole}, {entry("a", {4, 2}, rows(0, 4, 2))}}) == every("mismatch", 2));
  CHECK(kinds({{whole}, {entry("a", {4, 3}, rows(0, 4), dtype::i32)}}) == every("mismatch", 2));
  CHECK(kinds({{whole}, {entry("a", {4, 3}, rows(1, 2))}}) == every("argument", 2));  // overlap
  CHECK(kinds({{entry("a", {4, 3}, rows(0, 2))}, {entry("a", {4, 3}, rows(3, 1))}}) == every("argument", 2));  // hole
  CHECK(kinds({{whole, whole}, {}}) == std::vector<std::string>{"argument", "peer_failed"});
  CHECK(kinds({{}, {entry("a", {4, 3}, rows(2, 3))}}) == std::vector<std::string>{"peer_failed", "shape"});
  CHECK(kinds({{}, {entry("a", {4, 3}, box{{{{0, 2}, {1, 2}}, {{0, 3}}}})}}) ==
        std::vector<std::string>{"peer_failed", "argument"});
  shard_entry cut = whole;
  cut.bytes = cut.bytes.first(11);
  CHECK(kinds({{cut}, {whole}}) == std::vector<std::string>{"shape", "peer_failed"});
}
