// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/agreement.hpp>

#include <doctest/doctest.h>
#include <new>
#include <stdexcept>

using namespace heddle;

namespace {

/// A group of two whose other rank does what the test says.
struct scripted_transport {
  fingerprint other{};
  int parts = 0;
  fingerprint seen{};
  bool closed = false;
  [[nodiscard]] int rank() const { return 0; }
  [[nodiscard]] int size() const { return 2; }
  [[nodiscard]] int world_rank(int rank) const { return 5 + rank; }
  void enter(fingerprint const&) {
    if (closed) throw error(error_kind::poisoned, "closed");
  }
  verdict meet(fingerprint const& print, void const*, void*) {
    seen = print;
    seen.complaint = print.complaint == nullptr ? nullptr : "complained";
    fingerprint const prints[] = {print, other};
    return judge(
        2, [&](int rank) -> fingerprint const& { return prints[rank]; }, [&](int rank) { return world_rank(rank); });
  }
  void part() { ++parts; }
};

struct group : agreement<scripted_transport> {
  using agreement::agreement;
  using agreement::call;
};

}  // namespace

TEST_CASE("a collective states, moves, parts and is counted; statements are numbered and carry the plan") {
  group two{scripted_transport{}};
  two.set_plan(77);
  two.transport().other.plan = 77;
  bool moved = false;
  two.call(
      {}, nullptr, nullptr, [] {},
      [&] {
        moved = true;
        return 12;
      });
  CHECK(moved);
  CHECK(two.transport().parts == 1);
  CHECK(two.transport().seen.plan == 77);
  CHECK(two.bytes_sent() == 12);
  CHECK(two.sent()[collective_kind::barrier] == traffic{1, 12});
  two.transport().other.sequence = 1;
  two.call(
      {}, nullptr, nullptr, [] {}, [] { return 0; });
  CHECK(two.transport().seen.sequence == 1);
}

TEST_CASE("a mismatch moves nothing and names rank, operation and number") {
  group two{scripted_transport{}};
  two.transport().other.operation = collective_kind::all_reduce;
  try {
    two.call(
        {}, nullptr, nullptr, [] {},
        []() -> index_t {
          FAIL("moved");
          return 0;
        });
    FAIL("no error");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::mismatch);
    CHECK(problem.culprit() == 6);
    CHECK(problem.rank() == 5);
    CHECK(problem.operation() == "barrier");
    CHECK(problem.sequence() == 0);
  }
  CHECK(two.transport().parts == 0);
  CHECK(two.bytes_sent() == 0);
}

TEST_CASE("a failed check is stated to the peers and thrown here with its place") {
  group two{scripted_transport{}};
  try {
    two.call(
        {}, nullptr, nullptr, [] { throw error(error_kind::argument, "bad", "mend"); }, [] { return 0; });
    FAIL("no error");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(problem.text() == "bad");
    CHECK(problem.culprit() == 5);
    CHECK(problem.operation() == "barrier");
  }
  CHECK(two.transport().seen.complaint != nullptr);
}

TEST_CASE("a check that finds no memory is stated too, and thrown with a type") {
  group two{scripted_transport{}};
  try {
    two.call(
        {}, nullptr, nullptr, [] { throw std::bad_alloc(); }, [] { return 0; });
    FAIL("no error");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.text() == "the system has no memory for barrier");
    CHECK(problem.culprit() == 5);
    CHECK(problem.operation() == "barrier");
  }
  CHECK(two.transport().seen.complaint != nullptr);
}

TEST_CASE("agree runs the check only on a usable group, and passes any exception on") {
  group two{scripted_transport{}};
  two.transport().other.operation = collective_kind::agree;
  CHECK_THROWS_AS(two.agree([] { throw 42; }), int);
  two.transport().other.sequence = 1;
  CHECK_THROWS_AS(two.agree([] { throw std::length_error("long"); }), std::length_error);
  two.transport().other.sequence = 2;
  two.transport().other.complaint = "no";
  CHECK_THROWS_AS(two.agree([] {}), error);
  two.transport().closed = true;
  CHECK_THROWS_AS(two.agree([] { FAIL("ran"); }), error);
}
