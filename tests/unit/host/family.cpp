// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/family.hpp>

#include <doctest/doctest.h>
#include <thread>

using namespace heddle;

TEST_CASE("the first failure is kept") {
  host::family kin{3};
  kin.fail({error_kind::timeout, 2, "late"});
  kin.fail({error_kind::peer_failed, 1, "threw"});
  CHECK(kin.failed_locked());
  CHECK(kin.first_locked().culprit == 2);
  error const first = kin.report_locked(0, "barrier", 4, false);
  CHECK(first.kind() == error_kind::timeout);
  CHECK(first.rank() == 0);
  CHECK(first.culprit() == 2);
  CHECK(first.operation() == "barrier");
  CHECK(first.sequence() == 4);
  CHECK(first.text() == "late");
  error const again = kin.report_locked(0, "barrier", 5, true);
  CHECK(again.kind() == error_kind::poisoned);
  CHECK(again.culprit() == 2);
  CHECK(again.text() == "this communicator failed before: late");
}

TEST_CASE("a failure wakes those who wait at every place") {
  host::family kin{2};
  std::condition_variable first;
  std::condition_variable second;
  kin.add_place(first);
  kin.add_place(second);
  auto const wait = [&](std::condition_variable& place) {
    std::unique_lock lock{kin.mutex()};
    place.wait(lock, [&] { return kin.failed_locked(); });
  };
  std::jthread const a{[&] { wait(first); }};
  std::jthread const b{[&] { wait(second); }};
  kin.fail({});
}

TEST_CASE("a rank that throws a peer's failure on is not the culprit") {
  host::family kin{3};
  CHECK(kin.culprit_behind_locked(1) == 1);
  kin.blame_locked(1, 2);
  CHECK(kin.culprit_behind_locked(1) == 2);
  kin.blame_locked(1, -1);
  CHECK(kin.culprit_behind_locked(1) == 1);
}
