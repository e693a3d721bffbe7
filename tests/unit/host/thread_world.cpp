// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/thread_world.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <stdexcept>

using namespace heddle;

namespace {

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

TEST_CASE("run gives every rank its thread and brings back the exception of the culprit") {
  host::thread_world world{5};
  std::atomic<int> ranks{0};
  host::run(world, [&](host::thread_communicator& group) { ranks += 1 << group.rank(); });
  CHECK(ranks == 31);
  std::atomic<int> told{0};
  CHECK_THROWS_WITH_AS(host::run(world,
                                 [&](host::thread_communicator& group) {
                                   if (group.rank() == 3) throw std::domain_error("rank three");
                                   try {
                                     group.barrier();
                                   } catch (error const& problem) {
                                     if (problem.kind() == error_kind::peer_failed && problem.culprit() == 3) ++told;
                                     throw;
                                   }
                                 }),
                       "rank three", std::domain_error);
  CHECK(told == 4);
  CHECK(caught([&] { host::run(world, [](host::thread_communicator&) {}); }).kind() == error_kind::poisoned);
}

TEST_CASE("an agreed error comes back as the culprit's own, whoever is out first") {
  for (int i = 0; i < 20; ++i) {
    host::thread_world world{4};
    CHECK_THROWS_AS(host::run(world,
                              [](host::thread_communicator& group) {
                                auto part = group.split(group.rank() / 2, 0);
                                part.agree([&] {
                                  if (group.rank() == 3) throw std::domain_error("rank three");
                                });
                                group.barrier();
                              }),
                    std::domain_error);
  }
}

TEST_CASE("a world is checked when it is made") {
  CHECK(caught([] { host::thread_world{0}; }).kind() == error_kind::argument);
  CHECK(caught([] { host::thread_world(2, {.deadline = std::chrono::seconds{0}}); }).kind() == error_kind::argument);
  host::thread_world(2, {.deadline = host::no_deadline});
}

TEST_CASE("communicators for threads the caller owns, one for each rank") {
  host::thread_world world{2};
  auto first = world.communicator(0);
  CHECK(caught([&] { static_cast<void>(world.communicator(0)); }).kind() == error_kind::argument);
  CHECK(caught([&] { static_cast<void>(world.communicator(2)); }).kind() == error_kind::argument);
  CHECK(caught([&] { static_cast<void>(world.communicator(-1)); }).kind() == error_kind::argument);
  std::jthread other{[mine = world.communicator(1)]() mutable { mine.barrier(); }};
  first.barrier();
}

TEST_CASE("a rank whose thread unwinds is named to its peers, with run or without") {
  host::thread_world world{2};
  auto first = world.communicator(0);
  std::jthread other{[&world] {
    try {
      auto mine = world.communicator(1);
      throw std::runtime_error("unseen");
    } catch (std::runtime_error const&) {}
  }};
  error const found = caught([&] { first.barrier(); });
  CHECK(found.kind() == error_kind::peer_failed);
  CHECK(found.culprit() == 1);
}

TEST_CASE("the deadline is per communicator, and a late rank hears that it was late") {
  host::thread_world world{3};
  std::atomic<int> late{0};
  error const found = caught([&] {
    host::run(world, [&](host::thread_communicator& group) {
      group.transport().set_deadline(std::chrono::milliseconds{50});
      if (group.rank() == 2) std::this_thread::sleep_for(std::chrono::milliseconds{300});
      try {
        group.barrier();
      } catch (error const& problem) {
        if (problem.kind() == error_kind::timeout && problem.culprit() == 2) ++late;
        throw;
      }
    });
  });
  CHECK(late == 3);
  CHECK(found.kind() == error_kind::timeout);
  CHECK(found.rank() == 2);
}
