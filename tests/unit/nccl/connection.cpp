// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/connection.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

#include "fake_calls.hpp"

using namespace heddle;
using connection = nccl::connection<fake::calls>;

namespace {

ncclComm_t made(fake::calls const& calls) { return calls.make("lonely", 0, 1); }

/// A connection of its own communicator, and the script behind it.
struct opened {
  fake::calls calls{};
  connection link;
  explicit opened(std::chrono::nanoseconds deadline = std::chrono::seconds{60}) : link{calls, deadline, 4} {
    link.adopt(made(calls), nccl::ownership::taken);
  }
};

}  // namespace

TEST_CASE("nccl connection: a communicator that needs time to open is looked at until it is there") {
  fake::calls calls;
  calls.self->waiting = 5;
  {
    connection link{calls, std::chrono::seconds{60}, 0};
    link.open("ncclCommInitRankConfig", [&](ncclComm_t* comm) {
      *comm = made(calls);
      return ncclInProgress;
    });
    CHECK(calls.self->waiting == 0);
    CHECK(calls.self->time.count() == 4);  // a pause between two looks
  }
  CHECK(calls.self->log == std::vector<std::string>{"finalize", "destroy"});
  CHECK(calls.self->alive == 0);
}

TEST_CASE("nccl connection: at the deadline it is aborted, and the error says what was waited for") {
  fake::calls calls;
  calls.self->waiting = -1;
  {
    connection link{calls, std::chrono::milliseconds{250}, 3};
    error const problem = fake::refusal([&] {
      link.open("ncclCommInitRankConfig", [&](ncclComm_t* comm) {
        *comm = made(calls);
        return ncclInProgress;
      });
    });
    CHECK(problem.kind() == error_kind::timeout);
    CHECK(problem.rank() == 3);
    CHECK(problem.culprit() == -1);
    CHECK(problem.text().find("ncclCommInitRankConfig has not ended after 250 ms") == 0);
    CHECK(calls.self->time.count() == 251);
    CHECK(calls.self->log == std::vector<std::string>{"abort"});
    CHECK(link.comm() == nullptr);
    CHECK(fake::refusal([&] { link.look(collective_kind::barrier, 9); }).kind() == error_kind::poisoned);
  }
  CHECK(calls.self->log.size() == 1);
  CHECK(calls.self->alive == 0);
}

TEST_CASE("nccl connection: without a deadline it waits as long as it takes") {
  opened test{nccl::no_deadline};
  test.calls.self->step = std::chrono::hours{1};
  test.calls.self->waiting = 10000;
  CHECK_NOTHROW(test.link.settle(ncclInProgress, "ncclAllReduce"));
}

TEST_CASE("nccl connection: a call that is refused, at once or later, is an error with its operation and number") {
  for (bool const later : {false, true}) {
    opened test;
    test.link.begin(collective_kind::all_reduce, 12);
    test.calls.self->state = later ? ncclRemoteError : ncclSuccess;
    error const problem =
        fake::refusal([&] { test.link.settle(later ? ncclInProgress : ncclRemoteError, "ncclAllReduce"); });
    CHECK(problem.kind() == error_kind::peer_failed);
    CHECK(problem.operation() == "all_reduce");
    CHECK(problem.sequence() == 12);
    CHECK(problem.rank() == 4);
    CHECK(problem.text() == "ncclAllReduce: ncclRemoteError (as the script says)");
    CHECK(test.link.broken());
    CHECK(test.calls.self->count("abort") == 1);
  }
}

TEST_CASE("nccl connection: what NCCL has found since the last look is heard of at the next one") {
  opened test;
  CHECK_NOTHROW(test.link.look(collective_kind::all_gather, 1));
  test.calls.self->state = ncclRemoteError;
  error const problem = fake::refusal([&] { test.link.look(collective_kind::all_to_all, 2); });
  CHECK(problem.kind() == error_kind::peer_failed);
  CHECK(problem.operation() == "all_to_all");
  error const next = fake::refusal([&] { test.link.look(collective_kind::all_to_all, 3); });
  CHECK(next.kind() == error_kind::poisoned);
  CHECK(next.sequence() == 3);
}

TEST_CASE("nccl connection: the wait for a stream ends when it is done, at the deadline, or when NCCL breaks off") {
  opened done;
  done.calls.self->unready = 7;
  CHECK_NOTHROW(done.link.wait(nullptr, "the stream"));
  CHECK(done.calls.self->time.count() == 7);

  opened late{std::chrono::milliseconds{30}};
  late.calls.self->unready = -1;
  CHECK(fake::refusal([&] { late.link.wait(nullptr, "the stream"); }).kind() == error_kind::timeout);
  CHECK(late.calls.self->count("abort") == 1);

  opened broken;
  broken.calls.self->unready = -1;
  broken.calls.self->state = ncclUnhandledCudaError;
  CHECK(fake::refusal([&] { broken.link.wait(nullptr, "the stream"); }).kind() == error_kind::device);

  opened cuda;
  cuda.calls.self->faults["query"] = cudaErrorStreamCaptureUnsupported;
  error const problem = fake::refusal([&] { cuda.link.wait(nullptr, "the stream"); });
  CHECK(problem.kind() == error_kind::unsupported);
  CHECK(problem.text() == "cudaStreamQuery: cudaErrorOfTheScript");
  CHECK(cuda.link.broken());
}

TEST_CASE("nccl connection: a group is closed before its first failure is looked at") {
  opened test;
  test.link.open_group();
  test.link.note(ncclInProgress, "ncclSend");
  test.link.note(ncclInvalidArgument, "ncclRecv");
  test.link.note(ncclSystemError, "ncclSend");
  error const problem = fake::refusal([&] { test.link.close_group(); });
  CHECK(problem.text().find("ncclRecv: ncclInvalidArgument") == 0);
  CHECK(test.calls.self->log == std::vector<std::string>{"group", "end of group", "abort"});

  opened slow;
  slow.calls.self->delays["group_end"] = 4;
  slow.link.open_group();
  CHECK_NOTHROW(slow.link.close_group());
  CHECK(slow.calls.self->waiting == 0);
}

TEST_CASE("nccl connection: a borrowed communicator is left as it is, and revoked where it fails") {
  fake::calls calls;
  ncclComm_t const theirs = made(calls);
  {
    connection link{calls, std::chrono::seconds{1}, 0};
    link.adopt(theirs, nccl::ownership::borrowed);
  }
  CHECK(calls.self->log.empty());
  {
    connection link{calls, std::chrono::seconds{1}, 0};
    link.adopt(theirs, nccl::ownership::borrowed);
    fake::refusal([&] { link.fail(ncclInternalError, "ncclSend"); });
  }
  CHECK(calls.self->log == std::vector<std::string>{"revoke"});
  CHECK(calls.self->alive == 1);
  calls.destroy(theirs);
}

TEST_CASE("nccl connection: where an exception passes, nobody is waited for") {
  fake::calls calls;
  try {
    connection link{calls, std::chrono::seconds{1}, 0};
    link.adopt(made(calls), nccl::ownership::taken);
    throw std::runtime_error("of the program");
  } catch (std::runtime_error const&) {}
  CHECK(calls.self->log == std::vector<std::string>{"abort"});
  CHECK(calls.self->alive == 0);
}

TEST_CASE("nccl connection: one that cannot be finalized in time is aborted") {
  fake::calls calls;
  calls.self->delays["finalize"] = 1000;
  {
    connection link{calls, std::chrono::milliseconds{20}, 0};
    link.adopt(made(calls), nccl::ownership::taken);
  }
  CHECK(calls.self->log == std::vector<std::string>{"finalize", "abort"});
  CHECK(calls.self->alive == 0);
}

TEST_CASE("nccl connection: windows end before their communicator") {
  fake::calls calls;
  {
    connection link{calls, std::chrono::seconds{1}, 0};
    link.adopt(made(calls), nccl::ownership::taken);
    calls.self->delays["register_window"] = 2;
    link.add_window(&calls, 4096, nullptr);
    CHECK(calls.self->waiting == 0);
  }
  CHECK(calls.self->log == std::vector<std::string>{"window 4096", "end of window", "finalize", "destroy"});
}

TEST_CASE("nccl connection: windows are there until the stream has ended, and longer where it does not end") {
  using lines = std::vector<std::string>;
  for (auto const whose : {nccl::ownership::taken, nccl::ownership::borrowed}) {
    bool const taken = whose == nccl::ownership::taken;
    lines const good =
        taken ? lines{"window 64", "end of window", "finalize", "destroy"} : lines{"window 64", "end of window"};
    lines const bad{"window 64", taken ? "abort" : "revoke"};
    auto const check = [&](lines const& expected, auto script) {
      fake::calls calls;
      ncclComm_t const comm = made(calls);
      cudaStream_t const stream = reinterpret_cast<cudaStream_t>(&calls);
      {
        connection link{calls, std::chrono::milliseconds{20}, 0};
        link.adopt(comm, whose);
        link.add_window(&calls, 64, stream);
        script(*calls.self);
      }
      CHECK(calls.self->log == expected);
      CHECK(calls.self->asked == stream);
      if (!taken) calls.destroy(comm);
      CHECK(calls.self->alive == 0);
      return calls.self;
    };
    auto const slow = check(good, [](fake::script& self) { self.unready = 7; });
    CHECK(slow->unready == 0);
    CHECK(slow->time.count() == 7);
    CHECK(check(bad, [](fake::script& self) { self.unready = -1; })->time.count() == 21);
    check(bad, [](fake::script& self) { self.faults["query"] = cudaErrorIllegalAddress; });
    auto const broken = check(bad, [](fake::script& self) {
      self.unready = -1;
      self.state = ncclRemoteError;
    });
    CHECK(broken->time.count() == 0);  // NCCL knows that it does not end
  }
}
