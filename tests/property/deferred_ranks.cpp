// SPDX-License-Identifier: Apache-2.0
// Mixtures and dense layers on virtual ranks without a GPU: every rank has a stream that does as little as it can, so a
// step that leaves something to luck (whether a peer has written what is read, or read what is written) has other bits
// than the host's.
#include "../support/deferred_ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/host/reference_gemm.hpp>
#include <string>

#include "../support/ranks_dense.hpp"

using namespace heddle;
using namespace ranks_moe;
using deferred::faults;

namespace {

using deferred_world = host::basic_thread_world<deferred::mover>;

/// What `body(execution, rank, put, get)` gives on every rank.
template <template <class> class GroupsOver, class Found, class Grid, class Body>
std::vector<Found> on_each(Grid const& grid, faults const& what, Body const& body) {
  std::vector<Found> found(static_cast<std::size_t>(grid.world()));
  deferred_world world{grid.world(), {}, deferred::mover::supply{grid.world(), what}};
  host::run(world, [&](auto& rank, host::thread_communicator& same, deferred::queue const& queue) {
    GroupsOver<deferred_world::communicator_type> groups{rank, grid};
    GroupsOver<host::thread_communicator> numbers{same, grid};
    support::stream_gpu gpu{queue, groups, numbers};
    support::execution_on<decltype(gpu)> on{gpu};
    auto const put = [&](std::vector<float> const& values) { return gpu.write(values); };
    auto const get = [&](auto const& view) { return gpu.read(view); };
    found[static_cast<std::size_t>(rank.rank())] = body(on, rank.rank(), put, get);
    rank.barrier();
    gpu.wait();
  });
  return found;
}

template <class Layer>
std::vector<outcome<float>> on_streams(sizes const& of, faults const& what = {}) {
  return on_each<groups_over, outcome<float>>(of.on(), what, [&](auto& on, int rank, auto const& put, auto const& get) {
    return step<Layer, float>(on, of, rank, put, get);
  });
}
template <class Layer>
std::vector<ranks_dense::outcome<float>> on_streams(ranks_dense::sizes const& of) {
  return on_each<ranks_dense::tensor_groups, ranks_dense::outcome<float>>(
      of.on(), {}, [&](auto& on, int rank, auto const& put, auto const& get) {
        return ranks_dense::step<Layer, float>(on, of, rank, put, get);
      });
}

template <class Dispatcher, class Mode>
void check_all() {
  using layer = layer_of<Dispatcher, Mode>;
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

}  // namespace

TEST_CASE("deferred ranks: a masked mixture has the bits of the host's threads") { check_all<by_mask, grouped>(); }
TEST_CASE("deferred ranks: a mixture that gathers tokens has the bits of the host's threads") {
  check_all<all_gather_dispatcher<>, grouped>();
}
TEST_CASE("deferred ranks: a mixture that exchanges rows has the bits of the host's threads") {
  check_all<all_to_all_dispatcher<>, grouped>();
}
TEST_CASE("deferred ranks: a mixture that sends rows to parts of experts has the bits of the host's threads") {
  check_all<flex_dispatcher<>, grouped>();
}

TEST_CASE("deferred ranks: dense layers have the bits of the host's threads, whole and with tokens in parts") {
  ranks_dense::each_size([](ranks_dense::sizes const& of) {
    CAPTURE(of.ranks);
    CAPTURE(of.height);
    auto const check = [&]<class Layer>(std::type_identity<Layer>) {
      CHECK(on_streams<Layer>(of) == ranks_dense::on_threads<Layer, float, host::reference_gemm>(of));
    };
    check(std::type_identity<ranks_dense::dense_whole>{});
    check(std::type_identity<ranks_dense::dense_in_parts>{});
  });
}

TEST_CASE("deferred ranks: ranks that wait for no peer compute something else") {
  sizes const of{4, 1, 37, 16, 6, 24, 3};
  using layer = layer_of<all_to_all_dispatcher<>, grouped>;
  auto const expected = on_threads<layer, float, host::reference_gemm>(of);
  CHECK(on_streams<layer>(of) == expected);
  // Who is not waited for may be in time all the same.
  auto const seen = [&](faults const& what) {
    bool same = true;
    for (int run = 0; run < 20 && same; ++run) same = on_streams<layer>(of, what) == expected;
    return !same;
  };
  CHECK(seen({.what = faults::kind::no_ready, .rank = faults::every_rank}));
  CHECK(seen({.what = faults::kind::no_done, .rank = faults::every_rank}));
}
