// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/thread_communicator.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_world.hpp>
#include <mutex>

#include "../../support/collective_cases.hpp"
#include "../../support/symmetric_cases.hpp"

using namespace heddle;

namespace {

template <class Function>
std::string on_ranks(int size, Function function) {
  host::thread_world world{size};
  std::mutex mutex;
  std::string all;
  host::run(world, [&](host::thread_communicator& group) {
    std::string const found = function(group);
    std::lock_guard const lock{mutex};
    all += found;
  });
  return all;
}

}  // namespace

TEST_CASE("every collective gives the bits of the serial computation, on every group") {
  for (int const size : {1, 2, 3, 4, 8}) {
    CAPTURE(size);
    CHECK(on_ranks(size, [](host::thread_communicator& group) { return collective_cases::everything_split(group); }) ==
          "");
  }
}

TEST_CASE("many collectives in a row stay in step") {
  CHECK(on_ranks(4, [](host::thread_communicator& group) {
          std::int64_t sum = 0;
          for (int i = 0; i < 2000; ++i) {
            std::int64_t data[] = {group.rank() + i};
            group.all_reduce(std::span<std::int64_t>{data});
            sum += data[0];
          }
          return std::string{sum == 2000 * 6 + 4 * (1999 * 2000 / 2) ? "" : "wrong sum"};
        }) == "");
}

TEST_CASE("a NaN with a payload passes a group of one unchanged") {
  bf16 data[1];
  data[0].bits = 0x7f81;  // signalling
  host::thread_world world{1};
  host::run(world, [&](host::thread_communicator& group) { group.all_reduce(std::span<bf16>{data}); });
  CHECK(data[0].bits == 0x7f81);
}

TEST_CASE("a bad argument on one rank is that rank's error and its peers' peer_failed; the group goes on") {
  std::atomic<int> own{0};
  std::atomic<int> told{0};
  host::thread_world world{4};
  host::run(world, [&](host::thread_communicator& group) {
    auto const expect = [&](auto call) {
      try {
        call();
      } catch (error const& problem) {
        if (problem.kind() == error_kind::argument && group.rank() == 2) ++own;
        if (problem.kind() == error_kind::peer_failed && problem.culprit() == 2 && group.rank() != 2) ++told;
      }
    };
    bool const bad = group.rank() == 2;
    std::vector<float> small(4);
    std::vector<float> large(16);
    std::vector<index_t> const ones(4, 1);
    std::vector<index_t> const negative{1, 1, -1, 1};
    std::vector<index_t> const three(3, 1);
    std::vector<index_t> const huge(4, std::numeric_limits<index_t>::max());
    auto* const null = static_cast<float*>(nullptr);
    auto* const crooked = reinterpret_cast<float*>(reinterpret_cast<char*>(large.data()) + 1);
    std::span<float> const recv{large};
    expect([&] { group.broadcast(std::span<float>{small}, bad ? 4 : 0); });
    expect([&] { group.broadcast(std::span<float>{small}, bad ? -1 : 0); });
    expect([&] { group.all_reduce(bad ? std::span<float>{null, 4} : std::span<float>{small}); });
    expect([&] { group.all_reduce(bad ? std::span<float>{crooked, 4} : std::span<float>{small}); });
    expect([&] { group.all_gather(small, bad ? recv.first(15) : recv); });
    expect([&] { group.all_gather(bad ? std::span<float const>{large}.first(4) : small, recv); });
    expect([&] { group.all_gather(small, recv, bad ? negative : ones); });
    expect([&] { group.all_gather(small, recv, bad ? three : ones); });
    expect([&] { group.all_gather(small, bad ? recv.first(3) : recv, ones); });
    expect([&] { group.all_gather(bad ? std::span<float const>{} : small, recv, ones); });
    expect([&] { group.all_gather(small, recv, bad ? huge : ones); });
    expect([&] { group.reduce_scatter(bad ? std::span<float const>{small}.first(3) : small, recv, ones); });
    expect([&] { group.reduce_scatter(small, bad ? recv.first(0) : recv, ones); });
    expect([&] { group.all_to_all(small, bad ? three : ones, recv, ones); });
    expect([&] { group.all_to_all(small, ones, recv, bad ? negative : ones); });
    expect([&] { group.all_to_all(small, ones, bad ? recv.first(3) : recv, ones); });
    expect([&] { static_cast<void>(group.split(bad ? -1 : 0, 0)); });
    group.barrier();
  });
  CHECK(own == 17);
  CHECK(told == 3 * 17);
}

TEST_CASE("agree carries the exception of one rank to all and moves nothing") {
  std::atomic<int> own{0};
  std::atomic<int> told{0};
  host::thread_world world{3};
  host::run(world, [&](host::thread_communicator& group) {
    try {
      group.agree([&] {
        if (group.rank() == 1) throw std::out_of_range("token 99");
      });
    } catch (std::out_of_range const&) {
      ++own;
    } catch (error const& problem) {
      bool const named = problem.text().find("token 99") != std::string::npos && problem.sequence() == 0;
      if (named && problem.kind() == error_kind::peer_failed && problem.culprit() == 1) ++told;
    }
    CHECK(group.bytes_sent() == 0);
    group.agree([] {});
    CHECK(group.sent()[collective_kind::agree].calls == 1);
  });
  CHECK(own == 1);
  CHECK(told == 2);
}

TEST_CASE("the same bits from a group of one thread and from the group of one") {
  host::self_communicator self;
  host::thread_world world{1};
  auto group = world.communicator(0);
  CHECK(collective_cases::everything(self) == "");
  CHECK(collective_cases::everything(group) == "");
  CHECK(self.sent()[collective_kind::all_to_all] == group.sent()[collective_kind::all_to_all]);
}

TEST_CASE("a moved communicator keeps its place") {
  host::thread_world world{2};
  host::run(world, [](host::thread_communicator& group) {
    auto part = group.split(0, group.rank());
    auto other = group.split(0, group.rank());
    other = std::move(part);
    other.barrier();
    auto last = std::move(other);
    std::int32_t data[] = {1};
    last.all_reduce(std::span<std::int32_t>{data});
    CHECK(data[0] == 2);
  });
}

TEST_CASE("symmetric memory: what is put before a fence is there after it, on every group") {
  for (int const size : {1, 2, 3, 4, 8}) {
    CAPTURE(size);
    CHECK(on_ranks(size, [](host::thread_communicator& group) { return symmetric_cases::everything(group); }) == "");
  }
}

TEST_CASE("symmetric memory: a moved communicator keeps it") {
  CHECK(on_ranks(3, [](host::thread_communicator& group) {
          auto part = group.split(0, group.rank());
          auto const memory = part.symmetric(24);
          auto other = group.split(0, group.rank());
          other = std::move(part);
          return std::string{other.symmetric(24).data == memory.data ? "" : "another place; "} +
                 symmetric_cases::rounds(other, 10, true);
        }) == "");
}
