// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/thread_group.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <optional>
#include <thread>

#include "../../support/collective_cases.hpp"
#include "../../support/deferred_mover.hpp"
#include "../../support/staged.hpp"
#include "../../support/symmetric_cases.hpp"

using namespace heddle;
using deferred::faults;

namespace {

using deferred_world = host::basic_thread_world<deferred::mover>;
using deferred_group = deferred_world::communicator_type;
static_assert(symmetric_communicator<deferred_group>);
using staged_group = support::staged<deferred_group, deferred::mover, deferred::queue>;

/// Runs `body(group)` on ranks whose memory is written later than it is asked for; what they complain of.
template <class Body>
std::string complaints_of(int size, faults const& what, Body body) {
  deferred_world world{size, {.deadline = std::chrono::seconds{30}}, deferred::mover::supply{size, what}};
  std::mutex mutex;
  std::string all;
  host::run(world, [&](deferred_group& group, host::thread_communicator&, deferred::queue const& queue) {
    deferred::mover const order = group.transport().mover();
    staged_group tested{std::move(group), order, queue};
    std::string const found = body(tested);
    std::lock_guard const lock{mutex};
    all += found;
  });
  return all;
}

}  // namespace

TEST_CASE("deferred moves: every collective gives the bits of the serial computation, on every group") {
  for (int const size : {1, 2, 3, 4, 6, 8}) {
    CAPTURE(size);
    CHECK(complaints_of(size, {}, [](auto& group) { return collective_cases::everything_split(group); }) == "");
  }
}

TEST_CASE("deferred moves: what is put before a fence is there after it, on every group") {
  for (int const size : {1, 2, 3, 4, 6, 8}) {
    CAPTURE(size);
    CHECK(complaints_of(size, {}, [](auto& group) {
            using namespace symmetric_cases;
            std::string found = exchange<float>(group) + exchange<std::uint8_t>(group) + exchange<bf16>(group);
            found += rounds(group, 50, true) + rounds(group, 50, false) + growth(group) + beside(group);
            auto half = group.split(group.rank() % 2, -group.rank());
            return found + growth(half) + rounds(half, 20, true) + exchange<double>(group);
          }) == "");
  }
}

namespace {

/// Whether data is wrong in one of many runs: a rank that is not waited for may be in time all the same.
template <class Body>
bool seen(faults const& what, Body body) {
  bool found = false;
  for (int run = 0; run < 100 && !found; ++run) found = complaints_of(3, what, body) != "";
  return found;
}

}  // namespace

TEST_CASE("deferred moves: a rank that does not wait for its peers' events brings wrong data") {
  for (auto const kind : {faults::kind::no_ready, faults::kind::no_done}) {
    for (int const rank : {0, 2}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(rank);
      faults const what{.what = kind, .rank = rank};
      CHECK(seen(what, [](auto& group) { return collective_cases::moves<float>(group); }));
      CHECK(seen(what, [](auto& group) { return collective_cases::sums<float>(group); }));
      if (kind == faults::kind::no_done) continue;  // nobody parts from a fence
      CHECK(seen(what, [](auto& group) { return symmetric_cases::rounds(group, 20, true); }));
    }
  }
}

namespace {

struct outcome {
  std::optional<error> problem;
  bool ended = false;
};

/// Each rank's error of `body(group)`, where the world has the deadline of a test that hangs.
template <class Body>
std::vector<outcome> outcomes(faults const& what, Body body) {
  deferred_world world{4, {.deadline = std::chrono::seconds{20}}, deferred::mover::supply{4, what}};
  std::vector<outcome> seen(4);
  try {
    host::run(world, [&](deferred_group& group, host::thread_communicator&, deferred::queue const&) {
      auto& mine = seen[static_cast<std::size_t>(group.rank())];
      try {
        body(group);
        mine.ended = true;
      } catch (error const& problem) {
        mine.problem = problem;
        throw;
      }
    });
  } catch (...) {}
  return seen;
}

void check_blame(std::vector<outcome> const& seen, int culprit, error_kind kind, std::string const& operation) {
  for (int rank = 0; rank < 4; ++rank) {
    CAPTURE(rank);
    auto const& problem = seen[static_cast<std::size_t>(rank)].problem;
    REQUIRE(problem);
    CHECK(problem->kind() == (rank == culprit ? kind : error_kind::peer_failed));
    CHECK(problem->culprit() == culprit);
    CHECK(problem->operation() == operation);
    CHECK(problem->rank() == rank);
    CHECK(problem->text().find("the test lets") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("deferred moves: what a rank's stream refuses inside a collective is known to all, and nobody waits") {
  std::vector<index_t> const fives(4, 5);
  auto const body = [&](deferred_group& group) {
    std::vector<float> send(20), recv(20);
    group.barrier();
    group.all_to_all(send, fives, std::span<float>{recv}, fives);
    group.all_reduce(std::span<float>{recv});
    group.transport().mover().finish();
  };
  // post and await: once for the barrier, twice and three times three for the rest
  check_blame(outcomes({.what = faults::kind::copy, .rank = 2, .number = 1}, body), 2, error_kind::device,
              "all_to_all");
  check_blame(outcomes({.what = faults::kind::sum, .rank = 0}, body), 0, error_kind::device, "all_reduce");
  check_blame(outcomes({.what = faults::kind::post, .rank = 1}, body), 1, error_kind::device, "barrier");
  check_blame(outcomes({.what = faults::kind::post, .rank = 1, .number = 1}, body), 1, error_kind::device, "barrier");
  check_blame(outcomes({.what = faults::kind::post, .rank = 3, .number = 2}, body), 3, error_kind::device,
              "all_to_all");
  check_blame(outcomes({.what = faults::kind::await, .rank = 3, .number = 1}, body), 3, error_kind::device, "barrier");
  auto const late = outcomes({.what = faults::kind::await, .rank = 3, .number = 4}, body);  // when all have parted
  REQUIRE(late[3].problem);
  CHECK(late[3].problem->operation() == "barrier");
  REQUIRE(late[0].problem);
  CHECK(late[0].problem->kind() == error_kind::peer_failed);
  CHECK(late[0].problem->culprit() == 3);
  check_blame(outcomes({.what = faults::kind::await, .rank = 3, .number = 7}, body), 3, error_kind::device,
              "all_to_all");
}

TEST_CASE("deferred moves: without marks there is no group, without memory no buffer, and the rest goes on") {
  auto const tried = [](faults const& what, error_kind kind, auto call) {
    std::atomic<int> own{0}, told{0};
    auto const seen = outcomes(what, [&](deferred_group& group) {
      try {
        call(group);
      } catch (error const& problem) {
        if (group.rank() == 1 && problem.kind() == kind) ++own;
        if (group.rank() != 1 && problem.kind() == error_kind::peer_failed && problem.culprit() == 1) ++told;
      }
      group.barrier();
      call(group);
    });
    CHECK(own == 1);
    CHECK(told == 3);
    for (auto const& each : seen) CHECK(each.ended);
  };
  // Three marks are for the world's own group, which is made twice: by the world and by `run`.
  tried({.what = faults::kind::mark, .rank = 1, .number = 6}, error_kind::workspace,
        [](deferred_group& group) { static_cast<void>(group.split(0, 0)); });
  tried({.what = faults::kind::allocate, .rank = 1}, error_kind::workspace,
        [](deferred_group& group) { group.symmetric(64); });
}

TEST_CASE("deferred moves: a rank is done when its stream is, which may fail") {
  deferred::mover::supply const four{4, {.what = faults::kind::finish, .rank = 3}};
  deferred_world world{4, {}, four};
  auto const nothing = [](deferred_group&, host::thread_communicator&, deferred::queue const&) {};
  CHECK_THROWS_WITH_AS(host::run(world, nothing), doctest::Contains("the test lets finish fail"), error);
  deferred::mover::supply const three{3};
  deferred_world good{3, {}, three};
  std::vector<int> seen(3);
  host::run(good, [&](deferred_group& group, host::thread_communicator& numbers, deferred::queue const& queue) {
    index_t sum[] = {group.rank()};
    numbers.all_reduce(std::span<index_t>{sum});
    CHECK(sum[0] == 3);
    auto const at = static_cast<std::size_t>(group.rank());
    queue.of->add(queue.rank, [&seen, at] { seen[at] = 1; });
  });
  CHECK(seen == std::vector<int>{1, 1, 1});
  CHECK(three.idle());
}

namespace {

/// Rank 1 looks at the mark of rank 0 before that one comes to its next meeting, and again behind that.
struct hurry {
  int posts = 0;  ///< of rank 0 that are left before it waits to be looked at
  std::atomic<bool> armed{false}, looked{false}, posted{false};
  std::atomic<int> moved{-1};
};
class hurried_mover : public deferred::mover {
 public:
  struct supply {
    deferred::mover::supply inner;
    hurry* seen;
    [[nodiscard]] hurried_mover of(int rank) const { return {inner.of(rank), seen}; }
  };
  hurried_mover(deferred::mover base, hurry* seen) : deferred::mover{std::move(base)}, seen_{seen} {}

  void post(mark const& at) const {
    bool const next = seen_->armed && queue().rank == 0 && seen_->posts-- == 0;
    while (next && !seen_->looked) std::this_thread::yield();
    deferred::mover::post(at);
    if (next) seen_->posted = true;
  }
  void await(mark const& of) const {
    if (seen_->armed && queue().rank == 1 && seen_->moved < 0) {
      auto const before = *of.last;
      seen_->looked = true;
      while (!seen_->posted) std::this_thread::yield();
      seen_->moved = *of.last == before ? 0 : 1;
    }
    deferred::mover::await(of);
  }

 private:
  hurry* seen_;
};

}  // namespace

TEST_CASE("deferred moves: who is late at a meeting waits for what its peers had asked for by then, and no more") {
  hurry seen{.posts = 1};
  using world_type = host::basic_thread_world<hurried_mover>;
  world_type world{2, {.deadline = std::chrono::seconds{20}}, hurried_mover::supply{deferred::mover::supply{2}, &seen}};
  host::run(world, [&](auto& group, host::thread_communicator& numbers, deferred::queue const&) {
    numbers.barrier();
    if (group.rank() == 0) seen.armed = true;
    numbers.barrier();
    group.agree([] {});  // nobody parts from it: rank 0 goes on to the next while rank 1 is in it
    group.agree([] {});
  });
  CHECK(seen.moved.load() == 0);
}
