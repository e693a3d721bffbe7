// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/symmetric.hpp>

#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_communicator.hpp>
#include <limits>

using namespace heddle;

namespace {

/// A communicator over a transport that has nothing to store into.
struct no_memory : host::self_transport {
  void memory() = delete;
  [[nodiscard]] no_memory split(std::vector<int>, int, int, long) { return {}; }
};

struct no_fence : host::self_communicator {
  void fence() = delete;
  no_fence split(int, int);
};

}  // namespace

TEST_CASE("symmetric memory is an optional part of a communicator") {
  static_assert(symmetric_communicator<host::self_communicator>);
  static_assert(symmetric_communicator<host::thread_communicator>);
  static_assert(communicator<basic_communicator<no_memory>>);
  static_assert(!symmetric_communicator<basic_communicator<no_memory>>);
  static_assert(communicator<no_fence> && !symmetric_communicator<no_fence>);
}

TEST_CASE("a view into symmetric memory ends where the memory ends") {
  alignas(8) std::byte bytes[24]{};
  symmetric_memory const memory{bytes, 24};
  CHECK(memory.at<double>(8, 2).data() == reinterpret_cast<double*>(bytes + 8));
  CHECK(memory.at<double>(8, 2).size() == 2);
  CHECK(memory.at<double>(24, 0).empty());
  CHECK_THROWS_AS(static_cast<void>(memory.at<double>(16, 2)), error);
  CHECK_THROWS_AS(static_cast<void>(memory.at<double>(32, 0)), error);
  CHECK_THROWS_AS(static_cast<void>(memory.at<double>(4, 1)), error);
  CHECK_THROWS_AS(static_cast<void>(memory.at<double>(-8, 1)), error);
  CHECK_THROWS_AS(static_cast<void>(memory.at<double>(0, std::numeric_limits<index_t>::max())), error);
}
