// SPDX-License-Identifier: Apache-2.0
// Direct dispatch on virtual ranks without a GPU: kernels store into the memory of other ranks, whose streams do as
// little as they can. Forward, backward and the sums of gradients have the bits of the host's threads, which store for
// themselves.
#include "../support/deferred_ranks.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/layer/device_stores.hpp>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/ranks_moe.hpp"

using namespace ranks_moe;
using deferred::faults;

namespace {

using deferred_world = host::basic_thread_world<deferred::mover>;

template <class Layer>
std::vector<outcome<float>> on_streams(sizes const& of, faults const& what = {}) {
  std::vector<outcome<float>> found(static_cast<std::size_t>(of.ranks));
  deferred_world world{of.ranks, {}, deferred::mover::supply{of.ranks, what}};
  host::run(world, [&](auto& rank, host::thread_communicator& same, deferred::queue const& queue) {
    groups_over<deferred_world::communicator_type> groups{rank, of.on()};
    groups_over<host::thread_communicator> numbers{same, of.on()};
    support::stream_gpu gpu{queue, groups, numbers};
    support::execution_on<decltype(gpu)> on{gpu};
    auto const put = [&](std::vector<float> const& values) { return gpu.write(values); };
    bool waits = what.rank >= 0 && rank.rank() != what.rank;  // whoever goes wrong is the first to look at anything
    auto const get = [&](auto const& view) {
      if (waits) same.barrier();
      waits = false;
      return gpu.read(view);
    };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, float>(on, of, rank.rank(), put, get);
    if (rank.rank() == what.rank) same.barrier();
    rank.barrier();
    gpu.wait();
  });
  return found;
}

template <class Dispatcher>
void check_all() {
  using layer = layer_of<Dispatcher, grouped>;
  each_size([](sizes const& of) {
    auto const expected = on_threads<layer, float, host::reference_gemm>(of);
    auto const got = on_streams<layer>(of);
    for (std::size_t rank = 0; rank < expected.size(); ++rank) {
      std::string const where =
          std::to_string(rank) + " of " + std::to_string(of.ranks) + " in " + std::to_string(of.parts);
      CAPTURE(where);
      CHECK(got[rank].y == expected[rank].y);
      CHECK(got[rank].dx == expected[rank].dx);
      CHECK(got[rank].dgate == expected[rank].dgate);
      CHECK(got[rank].dfc1 == expected[rank].dfc1);
      CHECK(got[rank].dfc2 == expected[rank].dfc2);
    }
  });
}

/// Whether `same()` says so, and does not break: counts that nobody waits for may be anything. In a process of its own.
template <class Same>
bool holds(Same const& same) {
  pid_t const child = ::fork();
  if (child == 0) {
    for (int const which : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(which, SIG_DFL);
    bool good = false;
    try {
      good = same();
    } catch (...) {
      good = false;
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("deferred ranks: a mixture that stores rows has the bits of the host's threads") {
  check_all<direct_dispatcher<>>();
}
TEST_CASE("deferred ranks: a mixture that stores rows with gaps has the bits of the host's threads") {
  check_all<direct_dispatcher<ep, etp, on_overflow::report, aligned_rows<4>>>();
}
TEST_CASE("deferred ranks: a mixture that stores tokens once a rank has the bits of the host's threads") {
  check_all<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>>();
}
TEST_CASE("deferred ranks: a mixture that stores rows at parts of experts has the bits of the host's threads") {
  check_all<flex_dispatcher<ep, etp, by_direct<>>>();
}

TEST_CASE("deferred ranks: a rank that waits for nobody's stores computes something else") {
  sizes const of{4, 1, 37, 16, 6, 24, 3};
  using layer = layer_of<direct_dispatcher<>, grouped>;
  auto const expected = on_threads<layer, float, host::reference_gemm>(of);
  CHECK(holds([&] { return on_streams<layer>(of) == expected; }));
  // Who is not waited for may be in time all the same.
  auto const seen = [&](faults const& what) {
    bool same = true;
    for (int run = 0; run < 20 && same; ++run) same = holds([&] { return on_streams<layer>(of, what) == expected; });
    return !same;
  };
  CHECK(seen({.what = faults::kind::no_ready, .rank = 1}));
  CHECK(seen({.what = faults::kind::no_done, .rank = 2}));
}
