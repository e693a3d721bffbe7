// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/membership.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;
using membership = nccl::membership<fake::calls>;

namespace {

/// This rank's place in a group of three, whose world ranks are 10, 20 and 30.
struct member {
  membership self;
  member(int rank, fake::calls const& calls, nccl::options const& settings)
      : self{calls, {10, 20, 30}, rank, reinterpret_cast<cudaStream_t>(this), settings} {
    self.link().open("ncclCommInitRankConfig", [&](ncclComm_t* comm) {
      *comm = calls.make("three", rank, 3);
      return ncclSuccess;
    });
  }
};

}  // namespace

TEST_CASE("nccl membership: all ranks read what all have stated") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    member here{rank, calls, {.check = nccl::check_mode::on}};
    for (long sequence = 0; sequence < 3; ++sequence) {
      std::vector<index_t> const sends{rank * 10, rank * 10 + 1, rank * 10 + 2};
      std::vector<index_t> const receives{rank, 10 + rank, 20 + rank};
      auto const result = here.self.meet({.operation = collective_kind::all_to_all,
                                          .sequence = sequence,
                                          .send_counts = sends,
                                          .recv_counts = receives});
      if (!result.good()) throw std::runtime_error(result.text);
      for (int peer = 0; peer < 3; ++peer) {
        fingerprint const& print = here.self.print(peer);
        if (print.send_counts[2] != peer * 10 + 2 || print.sequence != sequence) throw std::runtime_error("misread");
      }
      if (!here.self.stated()) throw std::runtime_error("not stated");
    }
  });
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->count("all_gather " + std::to_string(statements::words(3))) == 3);
    CHECK(each->alive == 0);
  }
}

TEST_CASE("nccl membership: without checks data may move at once, and only what is nothing else is compared") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    member here{rank, calls, {.check = nccl::check_mode::off}};
    static_cast<void>(here.self.meet({.operation = collective_kind::all_reduce}));
    if (here.self.stated() || calls.self->count("all_gather") != 0) throw std::runtime_error("it compared");
    for (collective_kind const kind : {collective_kind::barrier, collective_kind::agree, collective_kind::split}) {
      static_cast<void>(here.self.meet({.operation = kind}));
      if (!here.self.stated()) throw std::runtime_error("it did not compare");
    }
  });
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->count("all_gather") == 3);
  }
}

TEST_CASE("nccl membership: a disagreement ends the group on all ranks and names the culprit's world rank") {
  std::vector<int> culprits(3, -2);
  auto const scripts = fake::on_ranks(3, [&](int rank, fake::calls const& calls) {
    member here{rank, calls, {.check = nccl::check_mode::on}};
    auto const result = here.self.meet({.operation = collective_kind::all_reduce, .count = rank == 1 ? 4 : 5});
    if (result.kind == error_kind::mismatch) culprits[static_cast<std::size_t>(rank)] = result.culprit;
    if (result.text.find("rank 20") == std::string::npos) throw std::runtime_error(result.text);
    here.self.enter({.operation = collective_kind::barrier});
  });
  CHECK(culprits == std::vector{1, 1, 1});
  for (auto const& each : scripts) {
    CHECK(each->count("threw heddle: poisoned") == 1);
    CHECK(each->count("abort") == 1);
    CHECK(each->alive == 0);
  }
}

TEST_CASE("nccl membership: a complaint is everybody's where it is exchanged, and else the end of this rank's group") {
  for (auto const mode : {nccl::check_mode::on, nccl::check_mode::off}) {
    auto const scripts = fake::on_ranks(3, [&](int rank, fake::calls const& calls) {
      member here{rank, calls, {.check = mode}};
      auto const result =
          here.self.meet({.operation = collective_kind::broadcast, .complaint = rank == 2 ? "too short" : nullptr});
      bool const heard = rank == 2 || mode == nccl::check_mode::on;
      if (result.good() == heard) throw std::runtime_error("wrong verdict");
      if (heard && (result.kind != error_kind::peer_failed || result.culprit != 2)) throw std::runtime_error("blame");
      bool const ended = rank == 2 && mode == nccl::check_mode::off;
      if (here.self.link().broken() != ended) throw std::runtime_error("wrong end");
    });
    for (auto const& each : scripts) CHECK(each->count("threw") == 0);
  }
}

TEST_CASE("nccl membership: a rank that never comes is a timeout, one that breaks off is heard of") {
  auto scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    member here{0, calls, {.deadline = std::chrono::milliseconds{40}, .check = nccl::check_mode::on}};
    calls.self->delays["all_gather"] = 1000;
    calls.self->answers["group_end"] = ncclSuccess;
    ++calls.self->depth;  // what is asked for stays in the queue
    static_cast<void>(here.self.meet({.operation = collective_kind::all_gather, .sequence = 8}));
  });
  CHECK(scripts[0]->count("threw heddle: timeout: ncclAllGather has not ended after 40 ms") == 1);
  CHECK(scripts[0]->log.back().find("[all_gather #8]") != std::string::npos);
  CHECK(scripts[0]->alive == 0);

  scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    member here{rank, calls, {.check = nccl::check_mode::on}};
    if (rank == 1) throw std::runtime_error("of the program");
    static_cast<void>(here.self.meet({.operation = collective_kind::all_gather}));
  });
  CHECK(scripts[0]->count("threw heddle: peer_failed: ncclAllGather: ncclRemoteError") == 1);
  CHECK(scripts[2]->count("threw heddle: peer_failed") == 1);
}

TEST_CASE("nccl membership: memory for sums is there where they are asked for, aligned behind the records") {
  fake::calls calls;
  auto const words = statements::words(3) * 3 * sizeof(std::int64_t);
  auto const records = (words + 255) / 256 * 256;
  membership const plain{calls, {0, 1, 2}, 0, nullptr, {}};
  CHECK(calls.self->log.back() == "device " + std::to_string(records));
  membership const sums{calls, {0, 1, 2}, 0, nullptr, {.sum = nccl::sum_mode::f32, .sum_bytes = 1003}};
  CHECK(calls.self->log.back() == "device " + std::to_string(records + 1003));
  CHECK(sums.sums_at_once() == 250);
  membership const few{
      calls, {0, 1, 2}, 0, nullptr, {.sum = nccl::sum_mode::f32, .sum_bytes = 1003, .limits = {.elements = 9}}};
  CHECK(few.sums_at_once() == 9);
}

TEST_CASE("nccl membership: in a capture nothing is waited for, and the ranks go on when it has ended") {
  for (bool const implicit : {false, true}) {
    auto const scripts = fake::on_ranks(3, [&](int rank, fake::calls const& calls) {
      member here{rank, calls, {.check = nccl::check_mode::on}};
      auto const refused = [&](auto const& call) {
        error const problem = fake::refusal(call);
        if (problem.kind() != error_kind::unsupported || problem.rank() != 10 * rank + 10) throw error(problem);
        if (problem.hint().find("captured step") == std::string::npos) throw error(problem);
      };
      if (implicit) calls.self->faults["capturing"] = cudaErrorStreamCaptureImplicit;
      else calls.self->captures = true;
      refused([&] { static_cast<void>(here.self.meet({.operation = collective_kind::barrier})); });
      refused([&] { here.self.wait(); });
      if (calls.self->asked != nullptr || here.self.link().broken()) throw std::runtime_error("it was touched");
      here.self.set_check(nccl::check_mode::off);
      static_cast<void>(here.self.meet({.operation = collective_kind::all_reduce}));  // data may move in a capture
      calls.self->captures = false;
      calls.self->faults.clear();
      static_cast<void>(here.self.meet({.operation = collective_kind::barrier}));
      here.self.wait();
    });
    for (auto const& each : scripts) {
      CHECK(each->count("threw") == 0);
      CHECK(each->count("all_gather") == 1);
      CHECK(each->count("abort") == 0);
    }
  }
}

TEST_CASE("nccl membership: a GPU that is lost ends the group, whatever the stream is asked") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    member here{rank, calls, {.check = nccl::check_mode::on}};
    if (rank == 1) calls.self->faults["capturing"] = cudaErrorIllegalAddress;
    error const problem =
        fake::refusal([&] { static_cast<void>(here.self.meet({.operation = collective_kind::barrier})); });
    if (problem.kind() != (rank == 1 ? error_kind::device : error_kind::peer_failed)) throw error(problem);
  });
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->count("abort") == 1);
  }
}
