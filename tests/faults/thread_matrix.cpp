// SPDX-License-Identifier: Apache-2.0
// Every fault, in every collective, on every rank of a world of threads: what the culprit and the others must see.
//
// run: threads 2 ; expect text " 0 wrong" within 60 s
// run: threads 4 ; expect text " 0 wrong" within 60 s
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <heddle/host/thread_world.hpp>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace heddle;
using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

thread_local long allocations_left = -1;  // -1: as many as asked for

}  // namespace

// Not inlined: g++ 12 otherwise takes the pair for mismatched.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc{};
  if (allocations_left > 0) --allocations_left;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

struct thrown {};

int checks = 0;
int wrong = 0;
double slowest = 0.0;  // milliseconds from the fault, or the entry after it, to the error

enum class fault {
  throw_before,
  throw_while_others_wait,
  leave,
  never_come,
  come_late,
  other_collective,
  other_count,
  other_dtype,
  other_root,
  other_plan,
  bad_argument,
  no_memory,
  throw_again,
  sentinel
};
constexpr char const* fault_names[] = {"throw before", "throw while others wait",
                                       "leave",        "never come",
                                       "come late",    "other collective",
                                       "other count",  "other dtype",
                                       "other root",   "other plan",
                                       "bad argument", "no memory",
                                       "throw again"};

constexpr int operations = 11;
constexpr char const* operation_names[] = {"barrier",    "broadcast",      "all_reduce", "all_gather",
                                           "all_gather", "reduce_scatter", "all_to_all", "split",
                                           "agree",      "symmetric",      "fence"};

struct deviation {
  std::size_t count = 6;
  int root = 0;
  bool doubles = false;
  bool spoiled = false;
};

/// Collective number `operation` with one argument changed; returns whether the results are right.
template <class T>
bool perform(host::thread_communicator& group, int operation, deviation how) {
  auto const size = static_cast<std::size_t>(group.size());
  std::vector<T> send(how.count * size, static_cast<T>(group.rank() + 1));
  std::vector<T> recv(how.count * size);
  std::vector<index_t> const counts(size, static_cast<index_t>(how.count));
  std::span<T> const out = how.spoiled ? std::span<T>{static_cast<T*>(nullptr), how.count * size} : std::span<T>{recv};
  auto const part = std::span<T const>{send}.first(how.count);
  T const sum = static_cast<T>(size * (size + 1) / 2);
  switch (operation) {
    case 0: group.barrier(); return true;
    case 1:
      group.broadcast(how.spoiled ? out : std::span<T>{send}, how.root);
      return send[0] == static_cast<T>(how.root + 1);
    case 2: group.all_reduce(how.spoiled ? out : std::span<T>{send}); return send[0] == sum && send.back() == sum;
    case 3: group.all_gather(part, out); return recv.back() == static_cast<T>(size);
    case 4: group.all_gather(part, out, counts); return recv.back() == static_cast<T>(size);
    case 5: group.reduce_scatter(send, out, counts); return recv[0] == sum;
    case 6: group.all_to_all(send, counts, out, counts); return recv.back() == static_cast<T>(size);
    case 7: return group.split(how.spoiled ? -1 : 0, 0).size() == group.size();
    case 8:
      group.agree([&] {
        if (how.spoiled) throw error(error_kind::argument, "spoiled");
      });
      return true;
    case 9: return group.symmetric(how.spoiled ? -1 : group.rank() * 8).bytes == (group.size() - 1) * 8;
    default: group.fence(); return true;
  }
}

struct outcome {
  std::optional<error> problem;
  bool own = false;  // its own exception, not an `error` about a peer
  bool result = false;
  bool poisoned_after = false;
  double milliseconds = 0.0;
};

constexpr milliseconds deadline{120};

void attempt(host::thread_communicator& group, fault kind, int operation, bool culprit,
             std::atomic<clock_type::rep>& at, outcome& seen) {
  deviation how;
  auto const now = [] { return clock_type::now().time_since_epoch().count(); };
  auto entered = now();
  try {
    if (culprit) {
      if (kind != fault::throw_before) std::this_thread::sleep_for(milliseconds{kind == fault::never_come ? 200 : 3});
      at = now();
      switch (kind) {
        case fault::throw_before:
        case fault::throw_while_others_wait:
        case fault::throw_again: throw thrown{};
        case fault::leave: return;
        case fault::other_collective: operation = (operation + 1 + (operation == 3 ? 1 : 0)) % operations; break;
        case fault::other_count: how.count = 5; break;
        case fault::other_dtype: how.doubles = true; break;
        case fault::other_root: how.root = 1; break;
        case fault::other_plan: group.set_plan(1); break;
        case fault::bad_argument: how.spoiled = true; break;
        case fault::no_memory: allocations_left = 0; break;
        default: break;
      }
    } else if (kind == fault::throw_before) {
      std::this_thread::sleep_for(milliseconds{3});
    }
    entered = now();
    if (kind == fault::no_memory) group.agree([] { std::vector<int>(10).swap(*std::make_unique<std::vector<int>>()); });
    seen.result = how.doubles ? perform<double>(group, operation, how) : perform<float>(group, operation, how);
  } catch (error const& problem) {
    seen.problem = problem;
    seen.own = problem.kind() == error_kind::argument;
  } catch (std::bad_alloc const&) {
    seen.own = true;
  }
  allocations_left = -1;
  clock_type::duration const since{now() - std::max(entered, at.load())};
  seen.milliseconds = std::chrono::duration<double, std::milli>(since).count();
  if (!seen.problem) return;
  auto const begin = clock_type::now();
  try {
    if (kind == fault::throw_again) throw std::runtime_error("a second failure");
    group.barrier();
  } catch (error const& problem) {
    seen.poisoned_after = problem.kind() == error_kind::poisoned && clock_type::now() - begin < milliseconds{100};
  }
}

void expect(bool good, std::string const& what) {
  ++checks;
  if (good) return;
  ++wrong;
  std::printf("WRONG: %s\n", what.c_str());
}

void run_case(int size, fault kind, int operation, int culprit) {
  std::string const name = std::string{fault_names[static_cast<int>(kind)]} + " in " + operation_names[operation] +
                           " on rank " + std::to_string(culprit) + " of " + std::to_string(size);
  host::thread_world world{size, {.deadline = kind == fault::never_come ? deadline : std::chrono::seconds{20}}};
  std::vector<outcome> seen(static_cast<std::size_t>(size));
  std::atomic<clock_type::rep> at{0};
  bool culprit_came_home = false;
  bool second_came_home = false;
  try {
    host::run(world, [&](host::thread_communicator& group) {
      float warm[] = {1.0f};
      group.all_reduce(std::span<float>{warm});
      attempt(group, kind, operation, group.rank() == culprit, at, seen[static_cast<std::size_t>(group.rank())]);
    });
  } catch (thrown const&) {
    culprit_came_home = true;
  } catch (std::runtime_error const&) {
    second_came_home = true;
  }
  expect(!second_came_home, name + ": a second failure took the place of the first");
  bool const throws =
      kind == fault::throw_before || kind == fault::throw_while_others_wait || kind == fault::throw_again;
  if (throws) expect(culprit_came_home, name + ": the culprit's exception came home");
  bool const mismatch = kind == fault::other_collective || kind == fault::other_count || kind == fault::other_dtype ||
                        kind == fault::other_root || kind == fault::other_plan;
  bool const agreed = kind == fault::bad_argument || kind == fault::no_memory;
  for (int rank = 0; rank < size; ++rank) {
    outcome const& each = seen[static_cast<std::size_t>(rank)];
    std::string const where = name + ", seen by rank " + std::to_string(rank);
    if (kind == fault::come_late) {
      expect(each.result && !each.problem, where + ": success");
      continue;
    }
    if (rank == culprit && (throws || kind == fault::leave)) continue;
    if (rank == culprit && agreed) {
      expect(each.own, where + ": its own error");
      continue;
    }
    if (!each.problem) {
      expect(false, where + ": no error");
      continue;
    }
    error const& problem = *each.problem;
    error_kind const expected = mismatch                    ? error_kind::mismatch
                                : kind == fault::leave      ? error_kind::peer_left
                                : kind == fault::never_come ? error_kind::timeout
                                                            : error_kind::peer_failed;
    expect(problem.kind() == expected, where + ": kind in " + problem.what());
    // With two ranks a mismatch has no minority: the higher one is named.
    int const named = mismatch && size == 2 ? 1 : culprit;
    bool const all_to_all_counts = kind == fault::other_count && operation == 6;  // either side may be to blame
    if (!all_to_all_counts) expect(problem.culprit() == named, where + ": culprit in " + problem.what());
    bool const called_other = kind == fault::other_collective && rank == culprit;
    if (!called_other && kind != fault::no_memory) {
      expect(problem.operation() == operation_names[operation], where + ": operation in " + problem.what());
    }
    expect(problem.sequence() == 1, where + ": number in " + problem.what());
    expect(problem.rank() == rank, where + ": rank in " + problem.what());
    if (!agreed && kind != fault::throw_again) expect(each.poisoned_after, where + ": poisoned after it, at once");
    double const budget = kind == fault::never_come ? 100.0 + static_cast<double>(deadline.count()) : 100.0;
    double const past = kind == fault::never_come && rank == culprit ? 0.0 : each.milliseconds;
    if (kind != fault::never_come) slowest = std::max(slowest, past);
    expect(past <= 10.0 * budget, where + ": " + std::to_string(past) + " ms");
  }
}

/// Where one rank has no memory for symmetric buffers, all are told, and the group goes on.
void run_growth_cases(int size) {
  int told_of = 0;
  for (long allocations = 0; allocations < 12; ++allocations) {
    std::string const name = "growth with " + std::to_string(allocations) + " allocations on one rank";
    host::thread_world world{size};
    std::atomic<int> told{0};
    std::atomic<bool> right{true};
    host::run(world, [&](host::thread_communicator& group) {
      group.symmetric(8);
      float const mark = static_cast<float>(group.rank());
      int const next = (group.rank() + 1) % size;
      try {
        if (group.rank() == 0) allocations_left = allocations;
        group.symmetric(512);
        allocations_left = -1;
      } catch (error const& problem) {
        allocations_left = -1;
        bool const named = problem.kind() == error_kind::peer_failed && problem.culprit() == 0;
        if (group.rank() == 0 ? problem.kind() == error_kind::workspace  // with words where there is memory for them
                              : named && problem.operation() == "symmetric")
          ++told;
        try {
          group.put(next, 0, std::span<float const>{&mark, 1});
          right = false;  // there is nothing to store into
        } catch (error const& refused) {
          right = right && refused.kind() == error_kind::argument;
        }
      }
      auto const memory = group.symmetric(256);
      group.put(next, 64, std::span<float const>{&mark, 1});
      group.fence();
      right = right && memory.at<float>(64, 1)[0] == static_cast<float>((group.rank() + size - 1) % size);
    });
    expect(told == 0 || told == size, name + ": " + std::to_string(told) + " ranks were told");
    expect(right, name + ": a wrong result after it");
    if (told > 0) ++told_of;
  }
  expect(told_of > 0, "no growth failed");
}

/// A failure in one half of the world reaches the other half, and allocation failures anywhere end without a hang.
void run_split_cases(int size) {
  for (long allocations = 0; allocations < 40; ++allocations) {
    host::thread_world world{size};
    std::vector<int> failures(static_cast<std::size_t>(size));
    try {
      host::run(world, [&](host::thread_communicator& group) {
        try {
          if (group.rank() == 0) allocations_left = allocations;
          auto half = group.split(group.rank() % 2, 0);
          allocations_left = -1;
          half.barrier();
        } catch (...) {
          allocations_left = -1;
          failures[static_cast<std::size_t>(group.rank())] = 1;
          throw;
        }
      });
    } catch (...) {}
    auto const failed = std::count(failures.begin(), failures.end(), 1);
    expect(failed == 0 || failed == size, std::to_string(failed) + " ranks failed after " +
                                              std::to_string(allocations) + " allocations of a split on one");
  }
}

/// A step that has run once allocates nothing.
void run_steady_state(int size) {
  host::thread_world world{size};
  std::atomic<long> used{0};
  host::run(world, [&](host::thread_communicator& group) {
    std::vector<float> send(static_cast<std::size_t>(size * 4));
    std::vector<float> recv(send.size());
    std::vector<index_t> const counts(static_cast<std::size_t>(size), 4);
    group.symmetric(32);
    allocations_left = 1000;
    group.barrier();
    group.broadcast(std::span{send}, 0);
    group.all_reduce(std::span{send});
    group.all_gather(std::span<float const>{send}.first(4), std::span{recv}, counts);
    group.reduce_scatter(send, std::span{recv}, counts);
    group.all_to_all(send, counts, std::span{recv}, counts);
    group.agree([] {});
    group.symmetric(32);
    for (int peer = 0; peer < size; ++peer) group.put(peer, 4 * group.rank(), std::span<float const>{send}.first(1));
    group.fence();
    used += 1000 - allocations_left;
    allocations_left = -1;
  });
  expect(used == 0, std::to_string(used) + " allocations in collectives");
}

}  // namespace

int main(int argc, char** argv) {
  int const size = argc > 1 ? std::atoi(argv[1]) : 4;
  for (int kind = 0; kind < static_cast<int>(fault::sentinel); ++kind) {
    for (int operation = 0; operation < operations; ++operation) {
      auto const which = static_cast<fault>(kind);
      bool const has_count = operation >= 2 && operation <= 6;
      if (which == fault::other_count && !has_count && operation != 1) continue;
      if (which == fault::other_dtype && !has_count && operation != 1) continue;
      if (which == fault::other_root && operation != 1) continue;
      if (which == fault::bad_argument && (operation == 0 || operation == 10)) continue;
      if (which == fault::no_memory && operation != 8) continue;
      for (int culprit = 0; culprit < size; ++culprit) run_case(size, which, operation, culprit);
    }
  }
  run_split_cases(size);
  run_growth_cases(size);
  run_steady_state(size);
  std::printf("%d checks, %d wrong, slowest notice %.3f ms\n", checks, wrong, slowest);
  return wrong == 0 ? 0 : 1;
}
