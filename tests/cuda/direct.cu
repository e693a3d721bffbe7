// SPDX-License-Identifier: Apache-2.0
// Direct dispatch on a GPU: mixtures whose kernels store rows into the memory of virtual ranks, against the same ranks
// as threads of the host in f64; and ranks of one GPU whose kernels wait for each other by flags.
#include <heddle/cuda/direct.cuh>
#include <heddle/cuda/ipc.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/kernel/store_rows.hpp>

#include "../support/ranks_moe.hpp"
#include "one_rank.cuh"

using namespace ranks_moe;
using one_rank::apart, one_rank::plain_gemm, one_rank::widened;

namespace {

using virtual_world = host::basic_thread_world<cuda::mover>;

template <class Layer>
std::vector<outcome<float>> on_streams(sizes const& of) {
  constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16, room = std::size_t{1} << 24;
  std::vector<outcome<float>> found(static_cast<std::size_t>(of.ranks));
  virtual_world world{of.ranks};
  host::run(world, [&](auto& rank, auto& same, cuda::queue const& queue) {
    groups_over<virtual_world::communicator_type> groups{rank, of.on()};
    groups_over<host::thread_communicator> numbers_groups{same, of.on()};
    cuda::device_buffer const data{bytes}, gemm_room{room};
    cuda::pinned_buffer const here{bytes_here};
    cuda::workspace scratch{data.data(), bytes, here.data(), bytes_here, rank.rank()};
    cuda::cublas_gemm gemm{gemm_room.data(), room, rank.rank()};
    cuda::execution on{gemm, groups, numbers_groups, scratch, queue};
    auto const put = [&]<class T>(std::vector<T> const& values) {
      T* const there = on.template allocate<T>(static_cast<index_t>(values.size()));
      if (!values.empty()) {
        cuda::check(
            cudaMemcpyAsync(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, queue.stream),
            "cudaMemcpyAsync");
      }
      return there;
    };
    auto const get = [&](auto const& view) {
      std::vector<float> values(static_cast<std::size_t>(view.count()));
      queue.fetch(values.data(), view.data(), values.size() * sizeof(values[0]));
      return values;
    };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, float>(on, of, rank.rank(), put, get);
  });
  return found;
}

template <class Dispatcher>
void check_all() {
  each_size([](sizes const& of) {
    CAPTURE(of.ranks);
    auto const expected = on_threads<layer_of<Dispatcher, sequential>, double, plain_gemm>(of);
    auto const got = on_streams<layer_of<Dispatcher, grouped>>(of);
    for (std::size_t rank = 0; rank < expected.size(); ++rank) {
      CAPTURE(rank);
      CHECK(apart(widened(got[rank].y), expected[rank].y) <= 2e-5);
      CHECK(apart(widened(got[rank].dx), expected[rank].dx) <= 2e-5);
      CHECK(apart(widened(got[rank].dgate), expected[rank].dgate) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc1), expected[rank].dfc1) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc2), expected[rank].dfc2) <= 2e-5);
    }
  });
}

using memory_of = cuda::ipc_memory<host::thread_communicator>;
template <std::uint64_t Milliseconds>
using flagged = cuda::direct_group<host::thread_communicator, memory_of, cuda::storing_device, Milliseconds>;

/// body(numbers, memory, late, queue) on every rank, each with a stream of the GPU and no other order between them.
template <class Body>
void on_ranks(int ranks, Body const& body) {
  virtual_world world{ranks};
  host::run(world, [&](auto&, host::thread_communicator& numbers, cuda::queue const& queue) {
    memory_of memory{numbers};
    cuda::pinned_buffer const late{sizeof(kernel::late_peer)};
    body(numbers, memory, *new (late.data()) kernel::late_peer, queue);
    queue.fetch(nullptr, nullptr, 0);
    numbers.barrier();
  });
}

}  // namespace

TEST_CASE("direct: a mixture that stores rows is that of the host's threads") { check_all<direct_dispatcher<>>(); }
TEST_CASE("direct: a mixture that stores rows with gaps is that of the host's threads") {
  check_all<direct_dispatcher<ep, etp, on_overflow::report, aligned_rows<16>>>();
}
TEST_CASE("direct: a mixture that stores tokens once a rank is that of the host's threads") {
  check_all<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>>();
}

TEST_CASE("direct: numbers told behind flags are there, turn after turn, while no host thread waits") {
  for (int const ranks : {1, 2, 4}) {
    CAPTURE(ranks);
    std::vector<int> wrong(static_cast<std::size_t>(ranks));
    on_ranks(ranks, [&](auto& numbers, memory_of& memory, kernel::late_peer& late, cuda::queue const& queue) {
      constexpr index_t count = 100;
      constexpr int turns = 50;
      flagged<20000> group{numbers, memory, {queue}, late};
      cuda::device_buffer const own{turns * count * sizeof(index_t)}, kept{turns * count * 8 * sizeof(index_t)};
      auto* const said = static_cast<index_t*>(own.data());
      std::vector<index_t> mine;
      for (index_t i = 0; i < turns * count; ++i) mine.push_back(i * 10 + numbers.rank());
      cuda::check(
          cudaMemcpyAsync(said, mine.data(), mine.size() * sizeof(index_t), cudaMemcpyHostToDevice, queue.stream),
          "cudaMemcpyAsync");
      auto const all = count * ranks;
      for (int turn = 0; turn < turns; ++turn) {
        auto const there = group.symmetric(all * static_cast<index_t>(sizeof(index_t)));
        kernel::peer_list peers;
        for (int peer = 0; peer < ranks; ++peer) peers.of[peer] = group.peer_pointers()[static_cast<std::size_t>(peer)];
        cuda::launch_rows(
            kernel::tell_peers<device_memory>{
                .own = {said + turn * count, extents<tokens>{count}}, .peers = peers, .rank = numbers.rank()},
            ranks, queue);
        group.fence();
        queue.copy(static_cast<index_t*>(kept.data()) + turn * all, there.data,
                   static_cast<std::size_t>(all) * sizeof(index_t));
      }
      group.check();
      std::vector<index_t> found(static_cast<std::size_t>(turns * all));
      queue.fetch(found.data(), kept.data(), found.size() * sizeof(index_t));
      int& off = wrong[static_cast<std::size_t>(numbers.rank())];
      for (index_t i = 0; i < turns * all; ++i) {
        index_t const turn = i / all, rank = i % all / count;
        off += found[static_cast<std::size_t>(i)] != (turn * count + i % count) * 10 + rank;
      }
    });
    CHECK(wrong == std::vector<int>(static_cast<std::size_t>(ranks)));
  }
}

TEST_CASE("direct: a rank that does not come is named by the kernels that wait for it") {
  std::vector<int> named(3);
  on_ranks(3, [&](auto& numbers, memory_of& memory, kernel::late_peer& late, cuda::queue const& queue) {
    flagged<200> group{numbers, memory, {queue}, late};
    static_cast<void>(group.symmetric(64));
    numbers.barrier();
    if (numbers.rank() == 1) return;
    group.fence();
    try {
      group.check();
    } catch (error const& problem) {
      named[static_cast<std::size_t>(numbers.rank())] =
          problem.kind() == error_kind::timeout && problem.culprit() == 1 ? 1 : 0;
    }
  });
  CHECK(named == std::vector<int>{1, 0, 1});
}
