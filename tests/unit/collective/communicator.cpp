// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/communicator.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace heddle;

namespace {

/// Rank 1 of 3. Writes down which move it was asked for; the peers state what this rank states.
struct recording_transport {
  std::string log{};
  fingerprint last{};
  [[nodiscard]] int rank() const { return 1; }
  [[nodiscard]] int size() const { return 3; }
  [[nodiscard]] int world_rank(int rank) const { return rank; }
  void enter(fingerprint const&) {}
  verdict meet(fingerprint const& print, void const*, void*) {
    last = print;
    if (print.complaint != nullptr) return {error_kind::peer_failed, 1, print.complaint};
    return {};
  }
  /// Peers of a split: rank 0 with key 5, rank 2 with key 4, all of the same color.
  [[nodiscard]] fingerprint print(int peer) const {
    return {.operation = last.operation, .root = peer == 1 ? last.root : 5 - peer / 2, .count = last.count};
  }
  void part() {}
  template <class T>
  void broadcast(std::span<T> data, int root) {
    log += "broadcast " + std::to_string(data.size()) + " " + std::to_string(root);
  }
  template <class T>
  void all_reduce(std::span<T> data) {
    log += "all_reduce " + std::to_string(data.size());
  }
  template <class T, class CountOf>
  void all_gather(std::span<T const> send, std::span<T>, CountOf count_of) {
    log += "all_gather " + std::to_string(send.size());
    for (int peer = 0; peer < 3; ++peer) log += " " + std::to_string(count_of(peer));
  }
  template <class T>
  void reduce_scatter(std::span<T const>, std::span<T>, std::span<index_t const>) {
    log += "reduce_scatter";
  }
  template <class T>
  void all_to_all(std::span<T const>, std::span<index_t const>, std::span<T>, std::span<index_t const>) {
    log += "all_to_all";
  }
  [[nodiscard]] recording_transport split(std::vector<int> members, int index, int color, long sequence) {
    std::string text = "split";
    for (int const member : members) text += " " + std::to_string(member);
    text += " index " + std::to_string(index) + " color " + std::to_string(color) + " at " + std::to_string(sequence);
    return {text};
  }
};

using group = basic_communicator<recording_transport>;

}  // namespace

TEST_CASE("each operation states itself, calls its move and counts the bytes of its formula") {
  group three{recording_transport{}};
  std::vector<float> data(9);
  std::vector<float> more(9);
  std::vector<index_t> const counts{2, 3, 4};
  std::vector<index_t> const equal(3, 3);
  auto const check = [&](auto call, char const* log, index_t bytes) {
    three.transport().log.clear();
    index_t const before = three.bytes_sent();
    call();
    CHECK(three.transport().log == log);
    CHECK(three.bytes_sent() - before == bytes);
  };
  check([&] { three.broadcast(std::span{data}, 1); }, "broadcast 9 1", 72);
  CHECK(three.transport().last.root == 1);
  check([&] { three.broadcast(std::span{data}, 0); }, "broadcast 9 0", 0);
  check([&] { three.all_reduce(std::span{data}); }, "all_reduce 9", 4 * (6 + 6));
  CHECK(three.transport().last.count == 9);
  check([&] { three.all_gather(std::span<float const>{data}.first(3), std::span{more}); }, "all_gather 3 3 3 3", 24);
  CHECK(three.transport().last.count == 3);
  check([&] { three.all_gather(data, std::span{more}, counts); }, "all_gather 3 2 3 4", 24);
  CHECK(three.transport().last.recv_counts.data() == counts.data());
  check([&] { three.reduce_scatter(data, std::span{more}, counts); }, "reduce_scatter", 24);
  check([&] { three.all_to_all(data, counts, std::span{more}, equal); }, "all_to_all", 24);
  CHECK(three.transport().last.send_counts.data() == counts.data());
  CHECK(three.transport().last.type == dtype::f32);
  check([&] { three.barrier(); }, "", 0);
}

TEST_CASE("a bad argument stops before the move") {
  group three{recording_transport{}};
  std::vector<float> data(9);
  std::vector<index_t> const counts{9, 9, 9};
  CHECK_THROWS_AS(three.broadcast(std::span{data}, 3), error);
  CHECK_THROWS_AS(three.all_gather(data, std::span{data}), error);
  CHECK_THROWS_AS(three.reduce_scatter(data, std::span{data}, counts), error);
  CHECK(three.transport().log == "");
  CHECK(three.bytes_sent() == 0);
}

TEST_CASE("a split orders its members by key, then rank, and inherits the plan") {
  group three{recording_transport{}};
  three.barrier();
  three.set_plan(8);
  auto part = three.split(6, 5);
  CHECK(part.transport().log == "split 2 0 1 index 2 color 6 at 1");
  part.barrier();
  CHECK(part.transport().last.plan == 8);
  CHECK(part.transport().last.sequence == 0);
}
