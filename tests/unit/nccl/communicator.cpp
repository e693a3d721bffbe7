// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/communicator.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

using transport = nccl::transport<fake::calls>;
using group = nccl::communicator<fake::calls>;

group world(int rank, int size, fake::calls const& calls, nccl::options const& settings = {}) {
  return group{transport{fake::id(), rank, size, nullptr, settings, calls}};
}
void expect(bool good, std::string const& what) {
  if (!good) throw std::runtime_error(what);
}
void none_threw(std::vector<std::shared_ptr<fake::script>> const& scripts) {
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->alive == 0);
    if (each->count("threw") > 0) MESSAGE(each->log.back());
  }
}

}  // namespace

TEST_CASE("nccl communicator: it opens without blocking, shares nothing with its parts, and ends in order") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    calls.self->delays["init"] = 9;
    group const ranks = world(rank, 2, calls);
    expect(calls.self->waiting == 0, "it did not wait");
    expect(ranks.rank() == rank && ranks.size() == 2 && ranks.world_rank() == rank, "numbers");
  });
  none_threw(scripts);
  CHECK(scripts[1]->count("init 1 of 2 blocking 0 share 0") == 1);
  CHECK(scripts[1]->log.back() == "destroy");
}

TEST_CASE("nccl communicator: ranks that do not come to the opening are a timeout, and nothing is left") {
  auto const scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    calls.self->delays["init"] = 1000;
    world(0, 2, calls, {.deadline = std::chrono::milliseconds{100}});
  });
  CHECK(scripts[0]->count("threw heddle: timeout: ncclCommInitRankConfig has not ended after 100 ms") == 1);
  CHECK(scripts[0]->count("abort") == 1);
  CHECK(scripts[0]->alive == 0);
}

TEST_CASE("nccl communicator: an opening that is refused, for want of memory or by NCCL, leaves nothing") {
  auto scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    calls.self->answers["init"] = ncclInvalidUsage;
    world(0, 2, calls);
  });
  CHECK(scripts[0]->count("threw heddle: argument: ncclCommInitRankConfig: ncclInvalidUsage") == 1);
  CHECK(scripts[0]->alive == 0);
  scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    calls.self->faults["allocate_device"] = cudaErrorMemoryAllocation;
    world(0, 2, calls);
  });
  CHECK(scripts[0]->count("threw heddle: workspace: cudaMalloc") == 1);
  CHECK(scripts[0]->count("init") == 0);
  scripts = fake::on_ranks(
      1, [](int, fake::calls const& calls) { world(0, 2, calls, {.deadline = std::chrono::nanoseconds{0}}); });
  CHECK(scripts[0]->count("threw heddle: argument: the deadline is 0 ns") == 1);
}

TEST_CASE("nccl communicator: splits have the ranks that their key asks for, their own world ranks and sequence") {
  auto const scripts = fake::on_ranks(5, [](int rank, fake::calls const& calls) {
    calls.self->delays["split"] = 3;
    group ranks = world(rank, 5, calls);
    ranks.set_plan(77);
    group part = ranks.split(rank % 2, -rank);  // 4 2 0 and 3 1
    expect(part.size() == (rank % 2 == 0 ? 3 : 2), "size");
    expect(part.rank() == (rank % 2 == 0 ? (4 - rank) / 2 : (3 - rank) / 2), "rank");
    expect(part.world_rank() == rank, "world rank");
    std::vector<float> data{static_cast<float>(rank)};
    part.all_reduce(std::span{data});
    expect(data[0] == (rank % 2 == 0 ? 6.0F : 4.0F), "sum");
    group alone = part.split(part.rank(), 0);
    expect(alone.size() == 1 && alone.world_rank() == rank, "alone");
    alone.all_reduce(std::span{data});
    alone.barrier();
    part.barrier();
    ranks.barrier();
  });
  none_threw(scripts);
  CHECK(scripts[3]->count("split 1 0 blocking 0") == 1);
}

TEST_CASE("nccl communicator: where one rank has no memory for a part, all hear of it and go on") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    group ranks = world(rank, 3, calls);
    if (rank == 1) calls.self->faults["allocate_device"] = cudaErrorMemoryAllocation;
    error const problem = fake::refusal([&] { static_cast<void>(ranks.split(0, rank)); });
    expect(problem.kind() == (rank == 1 ? error_kind::workspace : error_kind::peer_failed), problem.what());
    expect(rank == 1 || problem.culprit() == 1, problem.what());
    calls.self->faults.clear();
    group part = ranks.split(0, rank);
    expect(part.size() == 3, "size");
  });
  none_threw(scripts);
  for (auto const& each : scripts) CHECK(each->count("split") == 1);
}

TEST_CASE("nccl communicator: a split that NCCL refuses or never ends ends the group") {
  for (bool const late : {false, true}) {
    auto const scripts = fake::on_ranks(2, [&](int rank, fake::calls const& calls) {
      group ranks = world(rank, 2, calls, {.deadline = std::chrono::milliseconds{50}});
      if (late) calls.self->delays["split"] = 1000;
      else calls.self->answers["split"] = ncclSystemError;
      static_cast<void>(ranks.split(0, rank));
    });
    for (auto const& each : scripts) {
      CHECK(each->count(late ? "threw heddle: timeout: ncclCommSplit" : "threw heddle: io: ncclCommSplit") == 1);
      CHECK(each->log.back().find("[split #0]") != std::string::npos);
      CHECK(each->alive == 0);
    }
  }
}

TEST_CASE("nccl communicator: agree tells every rank of an exception, and the group goes on") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    group ranks = world(rank, 3, calls, {.check = nccl::check_mode::off});
    error const problem = fake::refusal([&] {
      ranks.agree([&] {
        if (rank == 2) throw error(error_kind::shape, "of rank 2");
      });
    });
    expect(problem.kind() == (rank == 2 ? error_kind::shape : error_kind::peer_failed), problem.what());
    expect(rank == 2 || problem.culprit() == 2, "culprit");
    ranks.barrier();
  });
  none_threw(scripts);
}

TEST_CASE("nccl communicator: bad arguments are known to all before data moves, where ranks compare") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    group ranks = world(rank, 2, calls, {.check = nccl::check_mode::on});
    std::vector<float> send(4), recv(rank == 1 ? 7 : 8);
    error const problem = fake::refusal([&] { ranks.all_gather(send, std::span{recv}); });
    expect(problem.kind() == (rank == 1 ? error_kind::argument : error_kind::peer_failed), problem.what());
    recv.resize(8);
    ranks.all_gather(send, std::span{recv});
  });
  none_threw(scripts);
}

TEST_CASE("nccl communicator: a rank that fails in the middle takes its peers with it, and nobody waits") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    group ranks = world(rank, 3, calls, {.check = nccl::check_mode::off});
    std::vector<float> data(6);
    if (rank == 1) calls.self->answers["all_reduce"] = ncclUnhandledCudaError;
    error const problem = fake::refusal([&] { ranks.all_reduce(std::span{data}); });
    expect(problem.kind() == (rank == 1 ? error_kind::device : error_kind::peer_failed), problem.what());
    expect(problem.operation() == "all_reduce", problem.what());
    error const next = fake::refusal([&] { ranks.barrier(); });
    expect(next.kind() == error_kind::poisoned, next.what());
  });
  none_threw(scripts);
}

TEST_CASE("nccl communicator: a communicator of somebody else is used and left to its owner") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    ncclComm_t const theirs = calls.make("theirs", rank, 2);
    {
      group ranks{transport{theirs, nccl::ownership::borrowed, nullptr, {}, calls}};
      expect(ranks.rank() == rank && ranks.size() == 2, "numbers");
      std::vector<std::int32_t> data{rank + 1};
      ranks.all_reduce(std::span{data});
      expect(data[0] == 3, "sum");
    }
    expect(calls.self->count("destroy") == 0, "it was destroyed");
    { group ranks{transport{theirs, nccl::ownership::taken, nullptr, {}, calls}}; }
    expect(calls.self->count("destroy") == 1, "it was not destroyed");
  });
  none_threw(scripts);
  fake::calls calls;
  error const problem = fake::refusal([&] { transport{nullptr, nccl::ownership::borrowed, nullptr, {}, calls}; });
  CHECK(problem.kind() == error_kind::argument);
}

TEST_CASE("nccl communicator: ranks of torchrun meet above its port, and the environment is as it was") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    nccl::place const at{.rank = rank, .size = 2, .local_rank = rank, .address = "10.0.0.1", .port = 29500};
    group ranks = nccl::join<fake::calls>(at, nullptr, {}, calls);
    expect(calls.environment("NCCL_COMM_ID") == nullptr, "environment");
    std::vector<float> data{2.0F};
    ranks.all_reduce(std::span{data});
    expect(data[0] == 4.0F, "sum");
  });
  none_threw(scripts);
  CHECK(scripts[1]->count("init 1 of 2 blocking 0 share 0 at 10.0.0.1:29501") == 1);
}

TEST_CASE("nccl communicator: wait ends with the stream, or with the deadline that was set last") {
  auto const scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    group ranks = world(0, 1, calls);
    calls.self->unready = 3;
    ranks.transport().wait();
    expect(calls.self->unready == 0, "it did not wait");
    ranks.transport().set_deadline(std::chrono::milliseconds{5});
    calls.self->unready = -1;
    ranks.transport().wait();
  });
  CHECK(scripts[0]->count("threw heddle: timeout: the stream has not ended after 5 ms") == 1);
}
