// SPDX-License-Identifier: Apache-2.0
// What every symmetric communicator must do, whatever its memory is made of. Each rank knows what all ranks put, lays
// it out in plain serial code and compares bits. Complaints come back as text, as in collective_cases.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <heddle/concepts/symmetric.hpp>
#include <string>
#include <vector>

#include "collective_cases.hpp"

namespace symmetric_cases {

using collective_cases::complaints;
using collective_cases::count_between;
using collective_cases::values;
using heddle::index_t;

template <class T>
std::span<T const> all_of(std::vector<T> const& list) {
  return {list.data(), list.size()};
}

/// The rows that rank i sends to rank j lie behind those of the lower ranks, as in a receive buffer in source order.
template <class T, class Communicator>
std::string exchange(Communicator& group) {
  complaints found;
  int const size = group.size();
  int const rank = group.rank();
  constexpr auto width = static_cast<index_t>(sizeof(T));
  for (int shape = 0; shape < collective_cases::shapes; ++shape) {
    std::string const where = " of shape " + std::to_string(shape) + " on rank " + std::to_string(rank);
    std::vector<T> expected;
    index_t needed = 0;
    for (int j = 0; j < size; ++j) {
      index_t total = 0;
      for (int i = 0; i < size; ++i) total += count_between(i, j, shape);
      needed = std::max(needed, total * width);
    }
    for (int i = 0; i < size; ++i) {
      for (T const each : values<T>(i, 100 * rank, count_between(i, rank, shape))) expected.push_back(each);
    }
    // Each knows its own need only: the largest counts.
    auto const memory = group.symmetric(static_cast<index_t>(expected.size()) * width);
    found.expect(memory.bytes == needed, "bytes of symmetric memory" + where);
    index_t const before = group.bytes_sent();
    index_t bytes = 0;
    std::vector<std::vector<T>> sent;
    for (int j = 0; j < size; ++j) {
      index_t offset = 0;
      for (int i = 0; i < rank; ++i) offset += count_between(i, j, shape) * width;
      sent.push_back(values<T>(rank, 100 * j, count_between(rank, j, shape)));
      group.put(j, offset, all_of(sent.back()));
      if (j != rank) bytes += static_cast<index_t>(sent.back().size()) * width;
    }
    found.expect(group.bytes_sent() - before == bytes, "bytes of put" + where);
    group.fence();
    auto const got = memory.template at<T>(0, static_cast<index_t>(expected.size()));
    found.expect(collective_cases::same_bits(std::vector<T>(got.begin(), got.end()), expected), "put" + where);
    found.expect(group.bytes_sent() - before == bytes, "bytes of fence" + where);
  }
  return found.text();
}

/// Rounds without a pause: each overwrites what the last one brought. `by_fence` says what keeps the rounds apart.
template <class Communicator>
std::string rounds(Communicator& group, int count, bool by_fence) {
  complaints found;
  int const size = group.size();
  int const rank = group.rank();
  auto memory = group.symmetric(index_t{8} * size);
  for (int round = 0; round < count; ++round) {
    if (!by_fence) memory = group.symmetric(index_t{8} * size);
    std::vector<std::int64_t> const stamp{round * 1000 + rank};
    for (int turn = 0; turn < size; ++turn) group.put((rank + turn) % size, index_t{8} * rank, all_of(stamp));
    group.fence();
    auto const stamps = memory.template at<std::int64_t>(0, size);
    for (int peer = 0; peer < size; ++peer) {
      found.expect(stamps[static_cast<std::size_t>(peer)] == round * 1000 + peer,
                   "stamp of rank " + std::to_string(peer) + " in round " + std::to_string(round));
    }
    if (by_fence) group.fence();
  }
  return found.text();
}

/// Memory grows when one rank asks for more, and stays otherwise.
template <class Communicator>
std::string growth(Communicator& group) {
  complaints found;
  int const last = group.size() - 1;
  bool const asks = group.rank() == last;
  std::byte* place = nullptr;
  index_t largest = -1;
  for (index_t const bytes : {0, 1, 64, 8, 0, 4096, 4095, 100000, 7, 100000}) {
    auto const memory = group.symmetric(asks ? bytes : 0);
    found.expect(memory.bytes == bytes, std::to_string(memory.bytes) + " bytes for " + std::to_string(bytes));
    if (bytes <= largest) found.expect(memory.data == place, "memory moved at " + std::to_string(bytes));
    found.expect(bytes == 0 || memory.data != nullptr, "no memory");
    found.expect(reinterpret_cast<std::uintptr_t>(memory.data) % alignof(std::max_align_t) == 0, "not aligned");
    largest = std::max(largest, bytes);
    place = memory.data;
    std::vector<std::uint8_t> const mark{static_cast<std::uint8_t>(group.rank() + 1)};
    int const next = (group.rank() + 1) % group.size();
    if (bytes > 0) group.put(next, bytes - 1, all_of(mark));
    group.put(next, bytes, all_of(mark).first(0));  // nothing, at the very end
    group.fence();
    int const previous = (group.rank() + last) % group.size();
    if (bytes > 0) found.expect(memory.data[bytes - 1] == std::byte(previous + 1), "the last byte");
    group.fence();
  }
  return found.text();
}

/// What does not lie inside is refused with its numbers, before anything is stored.
template <class Communicator>
std::string bounds(Communicator& group) {
  complaints found;
  auto const refused = [&](std::string const& name, std::vector<std::string> const& words, auto const& call) {
    try {
      call();
      found.expect(false, name + " was not refused");
    } catch (heddle::error const& problem) {
      found.expect(problem.kind() == heddle::error_kind::argument, name + ": " + problem.what());
      for (std::string const& word : words) {
        found.expect(problem.text().find(word) != std::string::npos, name + " without " + word + ": " + problem.what());
      }
    }
  };
  std::vector<float> const data{1, 2, 3, 4};
  auto const four = all_of(data);
  int const size = group.size();
  std::string const ranks = std::to_string(size);
  group.symmetric(1000);  // what was larger once does not widen the bounds
  auto const memory = group.symmetric(32);
  std::fill_n(memory.data, 32, std::byte{77});
  group.fence();
  index_t const before = group.bytes_sent();
  refused("rank too large", {"rank " + ranks + " of " + ranks}, [&] { group.put(size, 0, four); });
  refused("rank below zero", {"rank -1 of"}, [&] { group.put(-1, 0, four); });
  refused("offset", {"16 bytes at offset 20 of rank 0", "32 bytes"}, [&] { group.put(0, 20, four); });
  refused("offset below zero", {"offset -4"}, [&] { group.put(0, -4, four); });
  refused("offset far away", {"offset 9223372036854775804"}, [&] { group.put(0, 9223372036854775804, four); });
  refused("offset beyond, nothing to put", {"0 bytes at offset 36"}, [&] { group.put(0, 36, four.first(0)); });
  refused("not aligned", {"offset 2 ", "4 bytes"}, [&] { group.put(0, 2, four.first(1)); });
  refused("null", {"null"}, [&] { group.put(0, 0, std::span<float const>{static_cast<float*>(nullptr), 2}); });
  found.expect(group.bytes_sent() == before, "bytes of refused puts");
  refused("view", {"9 elements of 4 bytes at offset 0"}, [&] { static_cast<void>(memory.template at<float>(0, 9)); });
  refused("view at an offset", {"offset 8"}, [&] { static_cast<void>(memory.template at<float>(8, 7)); });
  refused("crooked view", {"offset 2 "}, [&] { static_cast<void>(memory.template at<float>(2, 1)); });
  refused("count below zero", {"-1 elements"}, [&] { static_cast<void>(memory.template at<float>(0, -1)); });
  group.fence();
  found.expect(std::all_of(memory.data, memory.data + 32, [](std::byte each) { return each == std::byte{77}; }),
               "a refused put stored something");
  return found.text();
}

/// Several groups with memory of their own at the same time.
template <class Communicator>
std::string beside(Communicator& world) {
  complaints found;
  auto reversed = world.split(0, -world.rank());
  auto halves = world.split(world.rank() % 2, world.rank());
  Communicator* const groups[] = {&world, &reversed, &halves};
  heddle::symmetric_memory memories[3];
  std::vector<std::int32_t> marks[3];
  for (int g = 0; g < 3; ++g) {
    memories[g] = groups[g]->symmetric(index_t{4} * groups[g]->size());
    marks[g] = {1000 * (g + 1) + world.rank()};
  }
  for (int g = 0; g < 3; ++g) {
    for (int peer = 0; peer < groups[g]->size(); ++peer) {
      groups[g]->put(peer, index_t{4} * groups[g]->rank(), all_of(marks[g]));
    }
  }
  for (int g = 2; g >= 0; --g) groups[g]->fence();
  for (int g = 0; g < 3; ++g) {
    auto const got = memories[g].template at<std::int32_t>(0, groups[g]->size());
    for (int peer = 0; peer < groups[g]->size(); ++peer) {
      int const from = g == 0 ? peer : g == 1 ? world.size() - 1 - peer : 2 * peer + world.rank() % 2;
      found.expect(got[static_cast<std::size_t>(peer)] == 1000 * (g + 1) + from, "group " + std::to_string(g));
    }
  }
  return found.text();
}

template <class Communicator>
std::string everything(Communicator& group) {
  std::string found = exchange<float>(group) + exchange<std::uint8_t>(group) + exchange<double>(group);
  found += exchange<heddle::bf16>(group) + exchange<std::int64_t>(group);
  found += rounds(group, 200, true) + rounds(group, 200, false);
  found += growth(group) + bounds(group) + beside(group);
  auto half = group.split(group.rank() % 2, -group.rank());
  found += growth(half) + exchange<float>(half) + rounds(half, 20, true) + exchange<float>(group);
  return found;
}

}  // namespace symmetric_cases
