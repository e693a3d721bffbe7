// SPDX-License-Identifier: Apache-2.0
// Every allocation of a collective between processes fails once, and from it on all that follow: where statements are
// compared, every rank gets a typed error and the group goes on. What MPI allocates by itself is not refused, nor the
// notice of a rank that leaves a group: where it has no memory its peers have their deadline.
#include <heddle/mpi/communicator.hpp>

#include <climits>
#include <doctest/doctest.h>
#include <optional>
#include <string>

#include "../../support/allocations.hpp"
#include "../../support/mpi_world.hpp"

using namespace heddle;
using namespace support;

namespace {

constexpr std::size_t height = 1000;  // elements to each peer

/// What one rank moves, made before anything is refused.
struct buffers {
  explicit buffers(std::size_t ranks)
      : send(height * ranks, 1.0F), recv(height * ranks), counts(ranks, static_cast<index_t>(height)) {}
  std::vector<float> send, recv;
  std::vector<index_t> counts;
  std::optional<mpi::communicator<>> part;
};

/// How a collective ended on a rank: 0 well, 1 short of memory, 2 told of a peer that is, 3 otherwise.
template <class Call>
int ending(int who, Call const& call) {
  try {
    call();
  } catch (error const& problem) {
    if (problem.kind() == error_kind::workspace) return problem.culprit() == who ? 1 : 3;
    return problem.kind() == error_kind::peer_failed && problem.culprit() == who ? 2 : 3;
  } catch (...) {
    return 3;
  }
  return 0;
}

/// `make(world)` is a group that is new each time, so that what it keeps for later is asked for each time, and
/// `call(group, buffers)` is to be one collective. Returns how many allocations it had.
template <class Make, class Call>
long refuse_each(std::string const& name, Make const& make, Call const& call) {
  CAPTURE(name);
  auto& world = test_world();
  long most = 0;
  for (int const who : {0, world.size() - 1}) {
    for (long const count : {1L, LONG_MAX}) {
      for (long first = 0;; ++first) {
        buffers data{static_cast<std::size_t>(world.size())};
        std::vector<int> all(static_cast<std::size_t>(world.size()));
        auto group = make(world);
        long const before = refused_allocations();
        if (world.rank() == who) refuse_allocations(refuse_to::this_thread, first, count);
        int const mine = ending(who, [&] { call(group, data); });
        refuse_no_allocation();
        group.barrier();  // it can be used as before
        int const told[] = {refused_allocations() > before ? 10 + mine : mine};
        world.all_gather(told, std::span{all});
        bool const refused = all[static_cast<std::size_t>(who)] >= 10;
        for (int rank = 0; rank < world.size(); ++rank) {
          int const expected = !refused ? 0 : rank == who ? 11 : 2;
          CHECK_MESSAGE(all[static_cast<std::size_t>(rank)] == expected,
                        "rank " << rank << ", allocation " << first << " of rank " << who);
        }
        most = first > most ? first : most;
        if (!refused) break;
        REQUIRE(first < 1000);
      }
    }
  }
  return most;
}
template <class Call>
long refuse_each(std::string const& name, Call const& call) {
  return refuse_each(
      name, [](auto& world) { return world.split(0, 0); }, call);
}

}  // namespace

TEST_CASE("sums have their memory before they begin") {
  CHECK(refuse_each("all_reduce", [](auto& group, buffers& data) { group.all_reduce(std::span{data.send}); }) >= 1);
  CHECK(refuse_each("reduce_scatter", [](auto& group, buffers& data) {
          group.reduce_scatter(data.send, std::span{data.recv}, data.counts);
        }) >= 1);
}

TEST_CASE("moves take no memory") {
  CHECK(refuse_each("broadcast", [](auto& group, buffers& data) { group.broadcast(std::span{data.send}, 0); }) == 0);
  CHECK(refuse_each("all_gather", [](auto& group, buffers& data) {
          group.all_gather(std::span<float const>{data.send}.first(height), std::span{data.recv}, data.counts);
        }) == 0);
  CHECK(refuse_each("all_to_all", [](auto& group, buffers& data) {
          group.all_to_all(data.send, data.counts, std::span{data.recv}, data.counts);
        }) == 0);
  CHECK(refuse_each("barrier", [](auto& group, buffers&) { group.barrier(); }) == 0);
}

TEST_CASE("symmetric memory is MPI's own, and what goes with it was there before") {
  auto const call = [](auto& group, buffers&) {
    if (group.symmetric(100).bytes != 100) throw 0;
    group.fence();
  };
  CHECK(refuse_each("symmetric", call) == 0);
}

TEST_CASE("a group that cannot be made is no group on any rank") {
  CHECK(refuse_each("split", [](auto& group, buffers& data) { data.part.emplace(group.split(0, 0)); }) >= 5);
}
