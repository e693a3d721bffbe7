// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/rendezvous.hpp>

#include <doctest/doctest.h>
#include <thread>

using namespace heddle;

namespace {

constexpr std::chrono::nanoseconds patience = std::chrono::seconds{20};

/// A place for two whose world ranks are 3 and 5.
struct pair_of_ranks {
  std::shared_ptr<host::family> kin = std::make_shared<host::family>(6);
  host::rendezvous place;
  explicit pair_of_ranks(int spins = 0, bool is_world = false) : place{kin, {3, 5}, is_world, spins} {}
};

host::posting post(long sequence, void const* send = nullptr) {
  return {.print = {.sequence = sequence}, .send = send};
}

template <class Call>
error caught(Call call) {
  try {
    call();
  } catch (error const& problem) {
    return problem;
  }
  return error(error_kind::io, "nothing was thrown");
}

}  // namespace

TEST_CASE("postings are seen by the peer until both part") {
  for (int const spins : {0, 1000}) {
    pair_of_ranks two{spins};
    int const values[] = {10, 20};
    int seen[2] = {};
    auto const work = [&](int rank) {
      bool heard = false;
      for (long round = 0; round < 200; ++round) {
        int const mine = values[rank] + static_cast<int>(round);
        CHECK(two.place.meet(rank, post(round, &mine), patience, heard).good());
        seen[rank] += *static_cast<int const*>(two.place[1 - rank].send) - values[1 - rank];
        two.place.part();
      }
    };
    std::jthread other{[&] { work(1); }};
    work(0);
    other.join();
    CHECK(seen[0] == 199 * 200 / 2);
    CHECK(seen[1] == 199 * 200 / 2);
  }
}

TEST_CASE("who does not come is named by world rank, and the family is broken from then on") {
  pair_of_ranks two;
  bool heard = false;
  auto const begin = std::chrono::steady_clock::now();
  error const late = caught([&] { two.place.meet(0, post(4), std::chrono::milliseconds{30}, heard); });
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds{30});
  CHECK(late.kind() == error_kind::timeout);
  CHECK(late.culprit() == 5);
  CHECK(late.rank() == 3);
  CHECK(late.sequence() == 4);
  CHECK(late.text() == "waited 30 ms in barrier number 4 for rank 5");
  CHECK(caught([&] { two.place.meet(0, post(5), patience, heard); }).kind() == error_kind::poisoned);
  bool heard_there = false;
  error const there = caught([&] { two.place.enter(1, {}, heard_there); });
  CHECK(there.kind() == error_kind::timeout);
  CHECK(there.culprit() == 5);
  CHECK(caught([&] { two.place.enter(1, {}, heard_there); }).kind() == error_kind::poisoned);
}

TEST_CASE("who left is named to those who wait and to those who come") {
  SUBCASE("waiting") {
    pair_of_ranks two;
    std::jthread const other{[&] {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      two.place.leave(1, false);
    }};
    bool heard = false;
    error const found = caught([&] { two.place.meet(0, post(0), patience, heard); });
    CHECK(found.kind() == error_kind::peer_left);
    CHECK(found.culprit() == 5);
  }
  SUBCASE("coming") {
    pair_of_ranks two;
    two.place.leave(1, false);
    CHECK(!two.kin->failed_locked());
    bool heard = false;
    CHECK(caught([&] { two.place.meet(0, post(0), patience, heard); }).kind() == error_kind::peer_left);
  }
  SUBCASE("by an exception") {
    pair_of_ranks two;
    two.place.leave(1, true);
    CHECK(!two.kin->failed_locked());
    bool heard = false;
    error const found = caught([&] { two.place.meet(0, post(0), patience, heard); });
    CHECK(found.kind() == error_kind::peer_failed);
    CHECK(found.culprit() == 5);
  }
  SUBCASE("by an exception, from the world") {
    pair_of_ranks two{0, true};
    two.place.leave(1, true);
    CHECK(two.kin->failed_locked());
  }
}

TEST_CASE("a failure elsewhere in the family ends a wait without end") {
  pair_of_ranks two;
  std::jthread const other{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    two.kin->fail({error_kind::peer_failed, 1, "elsewhere"});
  }};
  bool heard = false;
  error const found = caught([&] { two.place.meet(0, post(0), host::no_deadline, heard); });
  CHECK(found.kind() == error_kind::peer_failed);
  CHECK(found.culprit() == 1);
}

TEST_CASE("a second thread on the same communicator is refused") {
  pair_of_ranks two;
  std::jthread const other{[&] {
    bool heard = false;
    caught([&] { two.place.meet(0, post(0), patience, heard); });
  }};
  bool heard = false;
  error found(error_kind::io, "");
  while (found.kind() != error_kind::argument) found = caught([&] { two.place.enter(0, {}, heard); });
  two.kin->fail({});
  CHECK(found.text().find("two threads") != std::string::npos);
}
