// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/one_sided.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

struct scripted_memory {
  std::string* log = nullptr;
  bool slow = false;
  index_t size = 0;
  std::byte* place = nullptr;
  [[nodiscard]] std::byte* data() const { return place; }
  [[nodiscard]] index_t bytes() const { return size; }
  template <class Transport>
  void grow(Transport&, index_t bytes, long sequence) {
    *log += " grow " + std::to_string(bytes) + " at " + std::to_string(sequence);
    if (bytes > 1000) throw std::bad_alloc{};
    size = bytes;
  }
  void put(int rank, index_t offset, void const*, std::size_t bytes) {
    *log += " put " + std::to_string(bytes) + " to " + std::to_string(rank) + " at " + std::to_string(offset);
  }
  void sync() { *log += " sync"; }
  bool flush() {
    *log += " flush";
    return slow;
  }
};

/// Rank 1 of 3, whose peers wish for 100 and 40 bytes.
struct scripted_transport {
  std::string log{};
  fingerprint last{};
  scripted_memory own{};
  [[nodiscard]] int rank() const { return 1; }
  [[nodiscard]] int size() const { return 3; }
  [[nodiscard]] int world_rank(int rank) const { return 10 + rank; }
  void enter(fingerprint const&) {}
  verdict meet(fingerprint const& print, void const*, void*) {
    log += " meet " + std::string{name_of(print.operation)};
    last = print;
    if (print.complaint != nullptr) return {error_kind::peer_failed, 1, print.complaint};
    return {};
  }
  [[nodiscard]] fingerprint print(int peer) const {
    return {.operation = last.operation, .count = peer == 0 ? 100 : peer == 1 ? last.count : 40};
  }
  void part() { log += " part"; }
  scripted_memory& memory() {
    own.log = &log;
    return own;
  }
};

struct silent_transport : scripted_transport {
  void memory() = delete;
};

using group = one_sided<scripted_transport>;

template <class Call>
std::string log_of(group& three, Call call) {
  three.transport().log.clear();
  call();
  return three.transport().log;
}

template <class Group>
concept can_fence = requires(Group& group) {
  group.fence();
};

}  // namespace

TEST_CASE("memory is as large as the largest wish, and grows only where that is more than there is") {
  group three{scripted_transport{}};
  CHECK(log_of(three, [&] { CHECK(three.symmetric(8).bytes == 100); }) == " sync meet symmetric part grow 100 at 0");
  CHECK(three.transport().last.count == 8);
  CHECK(log_of(three, [&] { CHECK(three.symmetric(100).bytes == 100); }) == " sync meet symmetric part");
  CHECK(log_of(three, [&] { CHECK(three.symmetric(101).bytes == 101); }) == " sync meet symmetric part grow 101 at 2");
  CHECK_THROWS_AS(three.symmetric(-1), error);
  CHECK(three.sent()[collective_kind::symmetric] == traffic{3, 0});
}

TEST_CASE("nothing can be put where the memory did not come") {
  group three{scripted_transport{}};
  std::vector<float> const data(4);
  std::span<float const> const four{data};
  three.symmetric(0);
  three.put(0, 84, four);
  CHECK_THROWS_AS(three.symmetric(5000), std::bad_alloc);
  CHECK_THROWS_AS(three.put(0, 84, four), error);
}

TEST_CASE("a put is inside or refused, and counted where it goes to another rank") {
  group three{scripted_transport{}};
  std::vector<float> const data(4);
  std::span<float const> const four{data};
  three.symmetric(0);
  CHECK(log_of(three, [&] { three.put(2, 84, four); }) == " put 16 to 2 at 84");
  CHECK(three.bytes_sent() == 16);
  CHECK(log_of(three, [&] { three.put(1, 0, four); }) == " put 16 to 1 at 0");
  CHECK(log_of(three, [&] { three.put(0, 100, four.first(0)); }) == "");
  CHECK(three.sent()[collective_kind::put] == traffic{3, 16});
  auto const refused = log_of(three, [&] {
    CHECK_THROWS_AS(three.put(3, 0, four), error);
    CHECK_THROWS_AS(three.put(2, 88, four), error);
    CHECK_THROWS_AS(three.put(2, 2, four.first(1)), error);
  });
  CHECK(refused == "");
  CHECK(three.bytes_sent() == 16);
  try {
    three.put(2, 88, four);
  } catch (error const& problem) {
    CHECK(problem.text() == "put of 16 bytes at offset 88 of rank 2 of 3, where symmetric memory has 100 bytes");
    CHECK(problem.rank() == 11);
    CHECK(problem.culprit() == 11);
    CHECK(problem.operation() == "put");
    CHECK(problem.sequence() == 1);
  }
}

TEST_CASE("a fence meets once, and again where stores end only after the meeting") {
  group three{scripted_transport{}};
  three.set_plan(6);
  CHECK(log_of(three, [&] { three.fence(); }) == " sync meet fence flush sync");
  CHECK(three.transport().last.plan == 6);
  CHECK(three.transport().last.sequence == 0);
  three.transport().own.slow = true;
  CHECK(log_of(three, [&] { three.fence(); }) == " sync meet fence flush meet fence sync");
  CHECK(three.transport().last.sequence == 2);
  CHECK(three.sent()[collective_kind::fence] == traffic{2, 0});
}

TEST_CASE("a transport without memory offers none of it") {
  static_assert(can_fence<group>);
  static_assert(!can_fence<one_sided<silent_transport>>);
}
