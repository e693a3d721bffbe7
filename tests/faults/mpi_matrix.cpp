// SPDX-License-Identifier: Apache-2.0
// One fault of one process, in one collective: `mpi_matrix FAULT OPERATION CULPRIT on|off`, the last one being the
// check of fingerprints. Every job must end within 2 s of its deadline (which is 1 s where the deadline decides, and 6
// s elsewhere), with the exit code of its kind; a second is allowed for the start.
//
// clang-format off
// A rank that throws, before the others enter or while they wait:
// run: mpirun -np 4 throw barrier 0 on ; expect exit 77 within 8 s ; expect text "rank 0 failed: thrown by a test"
// run: mpirun -np 4 throw broadcast 1 off ; expect exit 77 within 8 s ; expect text "rank 1 failed: thrown by a test"
// run: mpirun -np 4 throw all_reduce 2 on ; expect exit 77 within 8 s ; expect text "rank 2 failed: thrown by a test"
// run: mpirun -np 4 throw all_gather 3 off ; expect exit 77 within 8 s ; expect text "rank 3 failed: thrown by a test"
// run: mpirun -np 4 throw_waiting reduce_scatter 0 on ; expect exit 77 within 8 s ; expect text "rank 0 failed: thrown"
// run: mpirun -np 4 throw_waiting all_to_all 1 off ; expect exit 77 within 8 s ; expect text "rank 1 failed: thrown"
// run: mpirun -np 4 throw_waiting split 2 on ; expect exit 77 within 8 s ; expect text "rank 2 failed: thrown"
// run: mpirun -np 2 throw_waiting agree 1 off ; expect exit 77 within 8 s ; expect text "rank 1 failed: thrown"
//
// An error that all ranks agree on ends in good order, said by the culprit alone:
// run: mpirun -np 4 callback agree 2 off ; expect exit 1 within 8 s ; expect text "rank 2 failed: thrown" ; reject text "peer_failed"
// run: mpirun -np 4 no_memory agree 0 on ; expect exit 1 within 8 s ; expect text "rank 0 failed: std::bad_alloc"
//
// A rank whose communicator is gone while others need it:
// run: mpirun -np 4 leave all_to_all 1 on ; expect exit 77 within 8 s ; expect text "rank 1 left while peers need it"
// run: mpirun -np 4 leave all_reduce 3 off ; expect exit 77 within 8 s ; expect text "peer_left: rank 3 left"
// run: mpirun -np 4 leave_group barrier 0 off ; expect exit 77 within 8 s ; expect text "peer_left: rank 0 left"
//
// A rank that does not come, and one that comes late:
// run: mpirun -np 4 never reduce_scatter 2 on ; expect exit 75 within 4 s ; expect text "timeout: waited 1000 ms for rank 2"
// run: mpirun -np 4 never broadcast 0 off ; expect exit 75 within 4 s ; expect text "timeout: waited 1000 ms for rank 0"
// run: mpirun -np 2 never barrier 1 off ; expect exit 75 within 4 s ; expect text "\[barrier #1\] \[culprit rank 1\]"
// run: mpirun -np 4 late all_reduce 1 on ; expect exit 0 within 8 s ; expect text "4 ranks right"
// run: mpirun -np 4 late all_gather 2 off ; expect exit 0 within 8 s ; expect text "4 ranks right"
// run: mpirun -np 3 finalize all_gather 1 on ; expect exit 75 within 4 s ; expect text "for rank 1"
// run: mpirun -np 3 never_finish barrier 2 on ; expect exit 75 within 4 s ; expect text "did not come to their end"
//
// Disagreement, found by the check or else by what it leads to:
// run: mpirun -np 4 collective all_reduce 1 on ; expect exit 76 within 4 s ; expect text "operation of collective number 1: rank 0 has all_reduce, rank 1 has"
// run: mpirun -np 4 collective barrier 3 on ; expect exit 76 within 4 s ; expect text "\[rank 0\]" ; expect text "\[rank 3\]"
// run: mpirun -np 4 collective all_reduce 1 off ; expect exit 75 within 4 s
// run: mpirun -np 4 count all_gather 2 on ; expect exit 76 within 8 s ; expect text "disagree about the count"
// run: mpirun -np 4 count all_to_all 0 on ; expect exit 76 within 8 s ; expect text "disagree about the count"
// run: mpirun -np 4 count all_gather 2 off ; expect exit 76 within 8 s ; expect text "bytes where"
// run: mpirun -np 4 dtype all_reduce 3 on ; expect exit 76 within 8 s ; expect text "disagree about the dtype .*F32.*F64"
// run: mpirun -np 4 root broadcast 2 on ; expect exit 76 within 4 s ; expect text "disagree about the root .*rank 0 has 0, rank 2 has 1"
// run: mpirun -np 4 root broadcast 2 off ; expect exit 75 within 4 s
// run: mpirun -np 4 plan reduce_scatter 1 on ; expect exit 76 within 8 s ; expect text "disagree about the plan hash"
//
// A bad argument on one rank:
// run: mpirun -np 4 argument all_gather 2 on ; expect exit 77 within 8 s ; expect text "argument: recv is null"
// run: mpirun -np 4 argument all_reduce 1 off ; expect exit 77 within 8 s ; expect text "argument: data is null"
//
// Memory that others store into, by plain stores (fence) and by MPI_Put (put_fence); the fault comes after the stores:
// run: mpirun -np 4 throw fence 1 on ; expect exit 77 within 8 s ; expect text "rank 1 failed: thrown by a test"
// run: mpirun -np 4 throw_waiting put_fence 2 off ; expect exit 77 within 8 s ; expect text "rank 2 failed: thrown"
// run: mpirun -np 4 throw_waiting symmetric 3 off ; expect exit 77 within 8 s ; expect text "rank 3 failed: thrown"
// run: mpirun -np 4 leave fence 2 off ; expect exit 77 within 8 s ; expect text "peer_left: rank 2 left"
// run: mpirun -np 4 leave put_fence 0 on ; expect exit 77 within 8 s ; expect text "peer_left: rank 0 left"
// run: mpirun -np 4 never fence 1 off ; expect exit 75 within 4 s ; expect text "timeout: waited 1000 ms for rank 1"
// run: mpirun -np 4 never put_fence 2 on ; expect exit 75 within 4 s ; expect text "timeout: waited 1000 ms for rank 2"
// run: mpirun -np 4 never symmetric 0 off ; expect exit 75 within 4 s ; expect text "\[symmetric #2\] \[culprit rank 0\]"
// run: mpirun -np 4 late fence 0 on ; expect exit 0 within 8 s ; expect text "4 ranks right"
// run: mpirun -np 4 late put_fence 3 off ; expect exit 0 within 8 s ; expect text "4 ranks right"
// run: mpirun -np 4 collective fence 1 on ; expect exit 76 within 4 s ; expect text "rank 0 has fence, rank 1 has"
// run: mpirun -np 4 collective put_fence 3 off ; expect exit 76 within 4 s ; expect text "rank 0 has fence, rank 3 has"
// run: mpirun -np 4 argument fence 2 off ; expect exit 77 within 8 s ; expect text "argument: put of 3999600 bytes at offset -4 of rank 0 of 4"
// run: mpirun -np 4 argument put_fence 1 on ; expect exit 77 within 8 s ; expect text "argument: put of 3999600 bytes at offset -4 of rank 0 of 4"
// run: mpirun -np 4 argument symmetric 1 off ; expect exit 77 within 8 s ; expect text "argument: symmetric memory of -1 bytes"
// run: mpirun -np 4 kill put_fence 0 off ; expect exit 137 within 8 s
//
// A process that ends by itself: the launcher's work.
// run: mpirun -np 4 exit_0 all_reduce 1 on ; expect exit 1 within 8 s
// run: mpirun -np 4 exit_3 barrier 2 on ; expect exit 3 within 8 s
// run: mpirun -np 4 kill all_gather 0 off ; expect exit 137 within 8 s
// run: mpirun -np 4 segfault all_to_all 3 off ; expect exit 139 within 8 s
// clang-format on
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <heddle/mpi/run.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace heddle;
using std::chrono::milliseconds;

namespace {

struct deviation {
  std::size_t count = 6;
  int root = 0;
  bool spoiled = false;
};

constexpr std::size_t stored = 1000000;  // floats to each peer: more than any eager protocol takes
std::vector<float> data;                 // MPI_Put may read it until the next fence, or the end of the job
symmetric_memory memory;

void store(mpi::communicator<>& group, int round, bool spoiled) {
  data.assign(stored, static_cast<float>(100 * round + group.rank()));
  for (int peer = 0; peer < group.size(); ++peer) {
    index_t const offset = spoiled ? -404 : static_cast<index_t>(sizeof(float) * stored) * group.rank();
    std::span<float const> const rows{data};
    group.put(peer, offset + 400, rows.subspan(100));  // MPI may gather short ones and send long ones at once
    group.put(peer, offset, rows.first(100));
  }
}

bool ends_in_fence(std::string const& operation) { return operation == "fence" || operation == "put_fence"; }

template <class T>
bool perform(mpi::communicator<>& group, std::string const& operation, deviation how) {
  auto const size = static_cast<std::size_t>(group.size());
  std::vector<T> send(how.count * size, static_cast<T>(group.rank() + 1));
  std::vector<T> recv(how.count * size);
  std::vector<index_t> const counts(size, static_cast<index_t>(how.count));
  std::span<T> const out = how.spoiled ? std::span<T>{static_cast<T*>(nullptr), how.count * size} : std::span<T>{recv};
  T const sum = static_cast<T>(size * (size + 1) / 2);
  if (operation == "barrier") group.barrier();
  else if (operation == "broadcast") group.broadcast(how.spoiled ? out : std::span<T>{send}, how.root);
  else if (operation == "all_reduce") group.all_reduce(how.spoiled ? out : std::span<T>{send});
  else if (operation == "all_gather") group.all_gather(std::span<T const>{send}.first(how.count), out, counts);
  else if (operation == "reduce_scatter") group.reduce_scatter(send, out, counts);
  else if (operation == "all_to_all") group.all_to_all(send, counts, out, counts);
  else if (operation == "split") static_cast<void>(group.split(0, 0));
  else if (operation == "agree") group.agree([] {});
  else if (operation == "symmetric") return group.symmetric(how.spoiled ? -1 : 8 * group.rank()).bytes > 0;
  else if (ends_in_fence(operation)) {
    for (int round = 0; round < 10; ++round) {
      store(group, round, how.spoiled);
      group.fence();
      auto const got = memory.at<float>(0, static_cast<index_t>(stored) * group.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (got[i] != static_cast<float>(100 * round + static_cast<int>(i / stored))) return false;
      }
      group.fence();
    }
  }
  if (operation == "all_reduce") return send[0] == sum;
  if (operation == "all_gather") return recv.back() == static_cast<T>(size);
  return true;
}

void misbehave(mpi::communicator<>& group, std::string const& fault, std::string const& operation) {
  deviation how;
  if (ends_in_fence(operation) && fault != "argument" && fault != "late") store(group, 0, false);
  if (fault != "throw") std::this_thread::sleep_for(milliseconds{30});
  if (fault == "throw" || fault == "throw_waiting") throw std::runtime_error("thrown by a test");
  if (fault == "callback") group.agree([] { throw std::runtime_error("thrown by a test"); });
  if (fault == "no_memory") group.agree([] { throw std::bad_alloc{}; });
  if (fault == "never") std::this_thread::sleep_for(milliseconds{20000});
  if (fault == "late") std::this_thread::sleep_for(milliseconds{500});
  if (fault == "finalize") MPI_Finalize();
  if (fault == "exit_0") _exit(0);
  if (fault == "exit_3") _exit(3);
  if (fault == "kill") static_cast<void>(std::raise(SIGKILL));
  if (fault == "segfault") static_cast<void>(std::raise(SIGSEGV));
  if (fault == "collective") {
    static_cast<void>(perform<float>(group, operation == "barrier" ? "all_gather" : "barrier", how));
    return;
  }
  if (fault == "count") how.count = 5;
  if (fault == "root") how.root = 1;
  if (fault == "plan") group.set_plan(1);
  how.spoiled = fault == "argument";
  bool const right = fault == "dtype" ? perform<double>(group, operation, how) : perform<float>(group, operation, how);
  if (!right) throw std::runtime_error("a wrong result");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  std::string const fault = argv[1];
  std::string const operation = argv[2];
  int const culprit = std::atoi(argv[3]);
  bool const on = std::string{argv[4]} == "on";
  // Where the deadline decides, it is short; elsewhere it must not be what ends the job.
  bool const waits =
      fault == "never" || fault == "never_finish" || fault == "finalize" || fault == "root" || fault == "collective";
  mpi::options const settings{.deadline = waits ? std::chrono::seconds{1} : std::chrono::seconds{6},
                              .check = on ? mpi::check_mode::on : mpi::check_mode::off};
  return mpi::run(argc, argv, settings, [&](mpi::communicator<>& world) {
    bool const guilty = world.rank() == culprit;
    float warm[] = {1.0f};
    world.all_reduce(std::span<float>{warm});
    if (operation == "put_fence") world.transport().set_put(mpi::put_mode::always_mpi);
    bool const needs_memory = ends_in_fence(operation) || operation == "symmetric";
    if (needs_memory) memory = world.symmetric(static_cast<index_t>(sizeof(float) * stored) * world.size());
    if (fault == "leave" && guilty) return;
    if (fault == "leave_group") {
      auto group = world.split(0, 0);
      if (guilty) {
        auto const gone = std::move(group);
      } else {
        group.barrier();
      }
      std::this_thread::sleep_for(milliseconds{20000});
    }
    if (fault == "never_finish") {
      if (guilty) std::this_thread::sleep_for(milliseconds{20000});
      return;
    }
    if (guilty) {
      misbehave(world, fault, operation);
    } else if (!perform<float>(world, operation, {})) {
      throw std::runtime_error("a wrong result");
    }
    std::int32_t right[] = {1};
    world.all_reduce(std::span<std::int32_t>{right});
    if (world.rank() == 0) std::printf("%d ranks right\n", right[0]);
  });
}
