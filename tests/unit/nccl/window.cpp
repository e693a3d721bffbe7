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

TEST_CASE("nccl window: with checks, other places of it are a mismatch before NCCL is called; without, nobody looks") {
  enum class fault { none, offset, outside, unchecked };
  for (fault const what : {fault::none, fault::offset, fault::outside, fault::unchecked}) {
    auto const check = what == fault::unchecked ? nccl::check_mode::off : nccl::check_mode::on;
    auto const scripts = fake::on_ranks(2, [&](int rank, fake::calls const& calls) {
      group ranks{nccl::transport<fake::calls>{
          fake::id(), rank, 2, nullptr, {.check = check, .windows = nccl::window_mode::symmetric}, calls}};
      nccl::register_memory(ranks, page[rank], 4096);
      float own[3]{1, 2, 3};
      auto* const there = reinterpret_cast<float*>(page[rank] + (rank == 0 || what == fault::none ? 256 : 512));
      std::span<float> const data{rank == 1 && what == fault::outside ? own : there, 3};
      for (float& each : data) each = 2;
      ranks.all_reduce(data);
      if (data[2] != 4) throw std::runtime_error("wrong sum");
    });
    bool const good = what == fault::none || what == fault::unchecked;
    for (auto const& each : scripts) {
      CHECK(each->count("all_reduce") == (good ? 1 : 0));
      CHECK(each->count("threw heddle: mismatch: ranks disagree about the window offset of data") == (good ? 0 : 1));
      CHECK(each->count("threw") == (good ? 0 : 1));
      if (good) continue;
      CHECK(each->log.back().find(what == fault::offset ? "rank 1 has 512;" : "rank 1 has none;") != std::string::npos);
    }
  }
}

TEST_CASE("nccl window: memory of which a part is in a window already is refused on every rank, which go on") {
  auto const scripts = fake::on_ranks(2, [](int rank, fake::calls const& calls) {
    auto ranks = world(rank, calls, nccl::window_mode::symmetric);
    nccl::register_memory(ranks, page[rank], 4096);
    error const problem =
        fake::refusal([&] { nccl::register_memory(ranks, page[rank] + (rank == 0 ? 4096 : 0), 4096); });
    if (problem.kind() != (rank == 1 ? error_kind::argument : error_kind::peer_failed)) throw error(problem);
    nccl::register_memory(ranks, page[rank] + 4096, 4096);
  });
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->count("window 4096") == 2);
    CHECK(each->count("end of window") == 2);
  }
}
