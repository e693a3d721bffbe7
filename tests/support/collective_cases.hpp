// SPDX-License-Identifier: Apache-2.0
// What every communicator must do, whatever it is made of: each rank knows the data of all ranks, computes the result
// in plain serial code and compares bits. Complaints come back as text, so that no rank stops in the middle.
#pragma once

#include <cstring>
#include <heddle/collective/communicator.hpp>
#include <string>
#include <vector>

namespace collective_cases {

using heddle::index_t;

inline std::uint32_t scramble(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

/// Element i of rank r: values whose sum depends on the order of adding.
template <class T>
T value(int rank, index_t i) {
  std::uint32_t const bits = scramble(static_cast<std::uint32_t>(rank * 7919 + i + 1));
  if constexpr (std::is_same_v<T, bool>) return (bits & 1U) != 0;
  else if constexpr (std::is_integral_v<T>) return static_cast<T>(bits % 251);
  else
    return static_cast<T>(static_cast<float>(static_cast<std::int32_t>(bits)) /
                          static_cast<float>(1U << (20 + bits % 8)));
}

template <class T>
std::vector<T> values(int rank, index_t begin, index_t count) {
  std::vector<T> list;
  for (index_t i = 0; i < count; ++i) list.push_back(value<T>(rank, begin + i));
  return list;
}
template <>  // std::vector<bool> holds no bools
inline std::vector<bool> values<bool>(int, index_t, index_t) = delete;

template <class T>
T serial_sum(int ranks, index_t i) {
  auto sum = static_cast<heddle::accumulator_t<T>>(value<T>(0, i));
  for (int rank = 1; rank < ranks; ++rank) sum += static_cast<heddle::accumulator_t<T>>(value<T>(rank, i));
  return static_cast<T>(sum);
}

/// Uneven counts with zeros among them; `shape` picks the pattern.
inline index_t count_for(int rank, int shape) {
  switch (shape) {
    case 0: return 0;
    case 1: return 5;
    case 2: return rank % 2 == 0 ? 0 : 3 * rank;
    case 3: return rank == 1 ? 1700 : 1;
    default: return static_cast<index_t>(scramble(static_cast<std::uint32_t>(rank + 31 * shape)) % 9);
  }
}
/// What rank i sends to rank j in an all-to-all.
inline index_t count_between(int i, int j, int shape) {
  switch (shape) {
    case 0: return 0;
    case 1: return 4;
    case 2: return j == 0 ? i + 1 : 0;  // everything to one rank
    case 3: return i == j ? 600 : 1;
    default: return static_cast<index_t>(scramble(static_cast<std::uint32_t>(i * 64 + j + 4096 * shape)) % 7);
  }
}
inline constexpr int shapes = 6;

template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

class complaints {
 public:
  void expect(bool good, std::string what) {
    if (!good) list_ += what + "; ";
  }
  [[nodiscard]] std::string const& text() const { return list_; }

 private:
  std::string list_;
};

/// Collectives that only move data, for any element type.
template <class T, class Communicator>
std::string moves(Communicator& group) {
  complaints found;
  int const size = group.size();
  int const rank = group.rank();
  auto const index = static_cast<std::size_t>(rank);
  for (int shape = 0; shape < shapes; ++shape) {
    std::string const where = " of shape " + std::to_string(shape) + " on rank " + std::to_string(rank);
    for (int root = 0; root < size; ++root) {
      index_t const count = count_for(root, shape);
      auto data = values<T>(rank, 0, count);
      index_t const before = group.bytes_sent();
      group.broadcast(std::span<T>{data}, root);
      found.expect(same_bits(data, values<T>(root, 0, count)), "broadcast" + where);
      index_t const bytes = rank == root ? count * static_cast<index_t>(sizeof(T)) * (size - 1) : 0;
      found.expect(group.bytes_sent() - before == bytes, "bytes of broadcast" + where);
    }
    {
      index_t const count = count_for(0, shape) + shape;
      std::vector<T> const send = values<T>(rank, 0, count);
      std::vector<T> recv(static_cast<std::size_t>(count * size));
      std::vector<T> expected;
      for (int peer = 0; peer < size; ++peer) {
        for (T const each : values<T>(peer, 0, count)) expected.push_back(each);
      }
      group.all_gather(send, std::span<T>{recv});
      found.expect(same_bits(recv, expected), "all_gather" + where);
    }
    {
      std::vector<index_t> counts;
      std::vector<T> expected;
      for (int peer = 0; peer < size; ++peer) {
        counts.push_back(count_for(peer, shape));
        for (T const each : values<T>(peer, 0, counts.back())) expected.push_back(each);
      }
      std::vector<T> const send = values<T>(rank, 0, counts[index]);
      std::vector<T> recv(expected.size());
      index_t const before = group.bytes_sent();
      group.all_gather(send, std::span<T>{recv}, counts);
      found.expect(same_bits(recv, expected), "all_gather with counts" + where);
      index_t const bytes = counts[index] * static_cast<index_t>(sizeof(T)) * (size - 1);
      found.expect(group.bytes_sent() - before == bytes, "bytes of all_gather" + where);
    }
    {
      std::vector<index_t> send_counts;
      std::vector<index_t> recv_counts;
      std::vector<T> send;
      std::vector<T> expected;
      index_t bytes = 0;
      for (int peer = 0; peer < size; ++peer) {
        send_counts.push_back(count_between(rank, peer, shape));
        recv_counts.push_back(count_between(peer, rank, shape));
        for (T const each : values<T>(rank, 100 * peer, send_counts.back())) send.push_back(each);
        for (T const each : values<T>(peer, 100 * rank, recv_counts.back())) expected.push_back(each);
        if (peer != rank) bytes += send_counts.back() * static_cast<index_t>(sizeof(T));
      }
      std::vector<T> recv(expected.size());
      index_t const before = group.bytes_sent();
      group.all_to_all(send, send_counts, std::span<T>{recv}, recv_counts);
      found.expect(same_bits(recv, expected), "all_to_all" + where);
      found.expect(group.bytes_sent() - before == bytes, "bytes of all_to_all" + where);
    }
  }
  return found.text();
}

/// Collectives that add, bitwise against the serial sum in rank order.
template <class T, class Communicator>
std::string sums(Communicator& group) {
  complaints found;
  int const size = group.size();
  int const rank = group.rank();
  auto const index = static_cast<std::size_t>(rank);
  for (index_t const count : {0, 1, 3, 8, 511, 1025, 5000}) {
    auto data = values<T>(rank, 0, count);
    std::vector<T> expected;
    for (index_t i = 0; i < count; ++i) expected.push_back(serial_sum<T>(size, i));
    index_t const before = group.bytes_sent();
    group.all_reduce(std::span<T>{data});
    found.expect(same_bits(data, expected),
                 "all_reduce of " + std::to_string(count) + " on rank " + std::to_string(rank));
    index_t const chunk = (count + size - 1) / size;
    index_t const begin = std::min<index_t>(chunk * rank, count);
    index_t const own = std::min<index_t>(begin + chunk, count) - begin;
    index_t const bytes = static_cast<index_t>(sizeof(T)) * ((count - own) + own * (size - 1));
    found.expect(group.bytes_sent() - before == bytes, "bytes of all_reduce of " + std::to_string(count));
  }
  for (int shape = 0; shape < shapes; ++shape) {
    std::vector<index_t> counts;
    index_t total = 0;
    index_t begin = 0;
    for (int peer = 0; peer < size; ++peer) {
      if (peer == rank) begin = total;
      counts.push_back(count_for(peer, shape));
      total += counts.back();
    }
    auto const send = values<T>(rank, 0, total);
    std::vector<T> recv(static_cast<std::size_t>(counts[index]));
    std::vector<T> expected;
    for (index_t i = 0; i < counts[index]; ++i) expected.push_back(serial_sum<T>(size, begin + i));
    index_t const before = group.bytes_sent();
    group.reduce_scatter(send, std::span<T>{recv}, counts);
    std::string const where = " of shape " + std::to_string(shape) + " on rank " + std::to_string(rank);
    found.expect(same_bits(recv, expected), "reduce_scatter" + where);
    index_t const bytes = (total - counts[index]) * static_cast<index_t>(sizeof(T));
    found.expect(group.bytes_sent() - before == bytes, "bytes of reduce_scatter" + where);
  }
  return found.text();
}

/// Everything on one group.
template <class Communicator>
std::string everything(Communicator& group) {
  std::string found;
  group.barrier();
  found += moves<float>(group) + moves<double>(group) + moves<heddle::bf16>(group) + moves<heddle::f16>(group);
  found += moves<heddle::f8_e4m3>(group) + moves<std::uint8_t>(group) + moves<std::int32_t>(group);
  found += moves<std::int64_t>(group);
  found += sums<float>(group) + sums<double>(group) + sums<heddle::bf16>(group) + sums<heddle::f16>(group);
  found += sums<std::int32_t>(group) + sums<std::int64_t>(group);
  group.agree([] {});
  return found;
}

/// Everything on the group, and on groups split from it: halves, reversed order, one rank each, a split of a split.
template <class Communicator>
std::string everything_split(Communicator& world) {
  complaints found;
  int const size = world.size();
  int const rank = world.rank();
  std::string text = everything(world);
  auto reversed = world.split(0, -rank);
  found.expect(reversed.rank() == size - 1 - rank && reversed.size() == size, "reversed split");
  text += moves<float>(reversed) + sums<float>(reversed);
  auto halves = world.split(rank % 2, 0);
  found.expect(halves.rank() == rank / 2, "rank in a half");
  found.expect(halves.size() == (size + 1 - rank % 2) / 2, "size of a half");
  text += moves<float>(halves) + sums<float>(halves);
  auto quarters = halves.split(halves.rank() % 2, 0);
  text += moves<float>(quarters) + sums<float>(quarters);
  auto alone = world.split(rank, 5);
  found.expect(alone.size() == 1 && alone.rank() == 0, "group of one");
  text += everything(alone);
  text += moves<float>(world);  // the first group still works beside the others
  return text + found.text();
}

}  // namespace collective_cases
