// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/window.hpp>

#include <doctest/doctest.h>

#include <heddle/nccl/communicator.hpp>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

using group = nccl::communicator<fake::calls>;

group world(int rank, fake::calls const& calls, nccl::window_mode windows) {
  return group{nccl::transport<fake::calls>{fake::id(), rank, 2, nullptr, {.windows = windows}, calls}};
}
alignas(4096) std::byte page[2][8192];

}  // namespace

TEST_CASE("nccl window: without the wish for windows nothing is asked of NCCL") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    auto ranks = world(rank, calls, nccl::window_mode::off);
    if (nccl::register_memory(ranks, nullptr, -3)) throw std::runtime_error("it said yes");
  });
  for (auto const& each : scripts) {
    CHECK(each->count("window") == 0);
    CHECK(each->count("threw") == 0);
  }
}

TEST_CASE("nccl window: with it, every rank makes one and ends it with the communicator") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    auto ranks = world(rank, calls, nccl::window_mode::symmetric);
    if (!nccl::register_memory(ranks, page[rank], 8192)) throw std::runtime_error("it said no");
  });
  for (auto const& each : scripts) {
    CHECK(each->count("window 8192") == 1);
    CHECK(each->count("end of window") == 1);
    CHECK(each->count("threw") == 0);
    CHECK(each->alive == 0);
  }
}

TEST_CASE("nccl window: what one rank may not register nobody does, and the ranks go on") {
  for (int const fault : {0, 1, 2}) {
    auto const scripts = fake::on_ranks(2, [&](int rank, fake::calls const& calls) {
      auto ranks = world(rank, calls, nccl::window_mode::symmetric);
      void* const data = rank == 0 ? page[0] : fault == 0 ? nullptr : page[1] + (fault == 1 ? 64 : 0);
      error const problem =
          fake::refusal([&] { nccl::register_memory(ranks, data, rank == 1 && fault == 2 ? 0 : 4096); });
      bool const right = problem.kind() == (rank == 1 ? error_kind::argument : error_kind::peer_failed);
      if (!right) throw error(problem);
      ranks.barrier();
    });
    for (auto const& each : scripts) {
      CHECK(each->count("window") == 0);
      CHECK(each->count("threw") == 0);
      CHECK(each->count("abort") == 0);
    }
  }
}
