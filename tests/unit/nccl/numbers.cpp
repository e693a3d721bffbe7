// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/numbers.hpp>

#include <doctest/doctest.h>

#include <heddle/collective/mesh_groups.hpp>
#include <heddle/mesh/mesh.hpp>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

using gpus = nccl::communicator<fake::calls>;
using numbers = nccl::numbers_communicator<fake::calls>;
static_assert(communicator<numbers>);

gpus world(int rank, int size, fake::calls const& calls, nccl::options const& settings = {}) {
  return gpus{nccl::transport<fake::calls>{fake::id(), rank, size, nullptr, settings, calls}};
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
/// What rank `from` has for rank `to`.
index_t value(int from, int to, index_t i) { return from * 1000 + to * 100 + i; }

/// Every collective over memory of the host, with counts that differ and are zero here and there.
void talk(numbers& ranks) {
  int const rank = ranks.rank();
  int const size = ranks.size();
  auto const count = [](int from, int to) { return index_t{(from + 2 * to) % 3}; };
  std::vector<index_t> send, sent, wanted, received;
  for (int peer = 0; peer < size; ++peer) {
    sent.push_back(count(rank, peer));
    received.push_back(count(peer, rank));
    for (index_t i = 0; i < sent.back(); ++i) send.push_back(value(rank, peer, i));
    for (index_t i = 0; i < received.back(); ++i) wanted.push_back(value(peer, rank, i));
  }
  std::vector<index_t> got(wanted.size(), -1);
  ranks.all_to_all(send, sent, std::span{got}, received);
  expect(got == wanted, "all_to_all");

  std::vector<double> const own(3, rank + 0.5);
  std::vector<double> all(static_cast<std::size_t>(3 * size), -1);
  ranks.all_gather(own, std::span{all});
  for (int peer = 0; peer < size; ++peer)
    for (std::size_t i = 0; i < 3; ++i) expect(all[static_cast<std::size_t>(peer) * 3 + i] == peer + 0.5, "all_gather");

  std::vector<index_t> parts;
  for (int peer = 0; peer < size; ++peer) parts.push_back(peer % 2 == 0 ? peer + 1 : 0);
  std::vector<index_t> mine(static_cast<std::size_t>(parts[static_cast<std::size_t>(rank)]), rank);
  std::vector<index_t> gathered(static_cast<std::size_t>(argument::total(parts)), -1);
  ranks.all_gather(mine, std::span{gathered}, parts);
  std::size_t at = 0;
  for (int peer = 0; peer < size; ++peer)
    for (index_t i = 0; i < parts[static_cast<std::size_t>(peer)]; ++i)
      expect(gathered[at++] == peer, "gather of parts");

  std::vector<index_t> pieces(gathered.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) pieces[i] = static_cast<index_t>(i) + rank;
  ranks.reduce_scatter(pieces, std::span{mine}, parts);
  index_t begin = 0;
  for (int peer = 0; peer < rank; ++peer) begin += parts[static_cast<std::size_t>(peer)];
  for (std::size_t i = 0; i < mine.size(); ++i)
    expect(mine[i] == size * (begin + static_cast<index_t>(i)) + size * (size - 1) / 2, "reduce_scatter");

  std::vector<index_t> sums{rank, 10 * rank, 7};
  ranks.all_reduce(std::span{sums});
  expect(sums == std::vector<index_t>{size * (size - 1) / 2, 5 * size * (size - 1), 7 * size}, "all_reduce");
  for (int root = 0; root < size; ++root) {
    std::vector<index_t> data(5, rank);
    ranks.broadcast(std::span{data}, root);
    expect(data == std::vector<index_t>(5, root), "broadcast");
  }
  ranks.broadcast(std::span<index_t>{}, 0);
  ranks.barrier();
}

}  // namespace

TEST_CASE("nccl numbers: every collective over memory of the host, and none asks for memory") {
  for (int size : {1, 2, 3, 4}) {
    CAPTURE(size);
    none_threw(fake::on_ranks(size, [&](int rank, fake::calls const& calls) {
      gpus data = world(rank, size, calls, {.exchange = nccl::exchange_mode::uniform});
      numbers ranks = nccl::numbers_of(data);
      int const before = calls.self->count("device");
      talk(ranks);
      talk(ranks);
      expect(calls.self->count("device") == before, "memory was asked for");
      expect(ranks.bytes_sent() > 0 || size == 1, "nothing was counted");
    }));
  }
}

TEST_CASE("nccl numbers: what is sent goes through memory of the group, never from the caller's") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    gpus data = world(rank, 2, calls);
    numbers ranks = nccl::numbers_of(data);
    std::vector<index_t> one{rank};
    calls.self->faults["copy"] = cudaErrorIllegalAddress;  // without a copy nothing would be asked here
    ranks.all_reduce(std::span{one});
  });
  for (auto const& each : scripts) CHECK(each->count("threw") == 1);
}

TEST_CASE("nccl numbers: groups of a mesh are split from it") {
  none_threw(fake::on_ranks(4, [](int rank, fake::calls const& calls) {
    gpus data = world(rank, 4, calls);
    numbers everyone = nccl::numbers_of(data);
    mesh<tp, dp> const grid{2, 2};
    mesh_groups<numbers, tp, dp> groups{everyone, grid};
    talk(groups.get<tp>());
    talk(groups.get<dp>());
    std::vector<index_t> sum{rank};
    groups.get<tp>().all_reduce(std::span{sum});
    expect(sum[0] == 4 * (rank / 2) + 1 || sum[0] == 2 * (rank % 2) + 2, "another group");
  }));
}

TEST_CASE("nccl numbers: more than there is room for is refused on every rank, before any sends") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    gpus data = world(rank, 2, calls, {.check = check_mode::on});
    numbers ranks = nccl::numbers_of(data, 64);
    std::vector<index_t> fits(8, rank), many(9, rank);
    ranks.all_reduce(std::span{fits});
    expect(fits[0] == 1, "it fits");
    error const problem = fake::refusal([&] { ranks.all_reduce(std::span{many}); });
    expect(problem.kind() == error_kind::workspace, problem.what());
    expect(problem.text().find("72 bytes") != std::string::npos, problem.what());
    expect(many[0] == rank, "data moved");
    ranks.all_reduce(std::span{fits});  // the group stays usable
    expect(fits[0] == 2, "usable");
  });
  none_threw(scripts);
  CHECK(fake::on_ranks(1,
                       [](int, fake::calls const& calls) {
                         gpus data = world(0, 1, calls);
                         static_cast<void>(nccl::numbers_of(data, 0));
                       })[0]
            ->count("threw heddle: argument: 0 bytes of room for numbers") == 1);
}

TEST_CASE("nccl numbers: no memory on one rank is an error on all, and nothing is left") {
  for (bool const of_part : {false, true}) {
    CAPTURE(of_part);
    auto const scripts = fake::on_ranks(2, [&](int rank, fake::calls const& calls) {
      gpus data = world(rank, 2, calls);
      if (!of_part && rank == 1) calls.self->faults["allocate_device"] = cudaErrorMemoryAllocation;
      numbers ranks = nccl::numbers_of(data);
      if (rank == 1) calls.self->faults["allocate_device"] = cudaErrorMemoryAllocation;
      numbers const part = ranks.split(0, rank);
    });
    CHECK(scripts[0]->count("threw heddle: peer_failed") == 1);
    CHECK(scripts[1]->count("threw heddle: workspace") == 1);
    for (auto const& each : scripts) CHECK(each->alive == 0);
  }
}

TEST_CASE("nccl numbers: a GPU that does not come to an end is a timeout") {
  auto const scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    gpus data = world(0, 1, calls, {.deadline = std::chrono::milliseconds{100}});
    numbers ranks = nccl::numbers_of(data);
    calls.self->unready = -1;
    std::vector<index_t> one{1};
    ranks.all_reduce(std::span{one});
  });
  CHECK(scripts[0]->count("threw heddle: timeout: the stream has not ended after 100 ms") == 1);
  CHECK(scripts[0]->alive == 0);
}
