// SPDX-License-Identifier: Apache-2.0
// How fast a throw on one of 8 ranks reaches the others, wherever in the family of groups they wait or enter next:
// 99 of 100 within 100 ms, all within 1 s. Prints the distribution; the argument is the number of repeats.
//
// run: threads 1000 ; expect text "all within 1000 ms" within 60 s
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <heddle/host/thread_world.hpp>
#include <mutex>
#include <random>
#include <stdexcept>
#include <vector>

using namespace heddle;
using clock_type = std::chrono::steady_clock;

namespace {

struct thrown {};

struct repeat {
  static constexpr int ranks = 8;
  std::atomic<clock_type::rep> thrown_at{0};
  std::mutex mutex;
  std::vector<double> milliseconds;
  int wrong = 0;

  static clock_type::rep now() { return clock_type::now().time_since_epoch().count(); }

  /// What a rank does until it hears of the failure: waits in the world, in its half, or computes and enters late.
  void listen(host::thread_communicator& world, host::thread_communicator& half, unsigned choice, int culprit) {
    clock_type::rep entered = now();
    try {
      for (;;) {
        std::vector<float> data(64, 1.0f);
        if (choice % 4 == 3) std::this_thread::sleep_for(std::chrono::microseconds{choice % 3000});
        entered = now();
        if (choice % 2 == 0) half.all_reduce(std::span<float>{data});
        else world.barrier();
      }
    } catch (error const& problem) {
      auto const since = clock_type::duration{now() - std::max(entered, thrown_at.load())};
      std::lock_guard const lock{mutex};
      milliseconds.push_back(std::chrono::duration<double, std::milli>(since).count());
      if (problem.kind() != error_kind::peer_failed || problem.culprit() != culprit) ++wrong;
      throw;
    }
  }

  void run(unsigned seed) {
    std::minstd_rand random{seed + 1};
    int const culprit = static_cast<int>(random() % ranks);
    unsigned const delay = static_cast<unsigned>(random() % 2000);
    std::vector<unsigned> choices;
    for (int rank = 0; rank < ranks; ++rank) choices.push_back(static_cast<unsigned>(random()));
    choices[static_cast<std::size_t>(culprit)] = 0;
    host::thread_world world{ranks};
    try {
      host::run(world, [&](host::thread_communicator& group) {
        auto half = group.split(group.rank() / 4, 0);
        if (group.rank() != culprit)
          return listen(group, half, choices[static_cast<std::size_t>(group.rank())], culprit);
        std::this_thread::sleep_for(std::chrono::microseconds{delay});
        thrown_at = now();
        throw thrown{};
      });
      ++wrong;
    } catch (thrown const&) {}
  }
};

}  // namespace

int main(int argc, char** argv) {
  unsigned const repeats = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1000;
  std::vector<double> all;
  int wrong = 0;
  for (unsigned i = 0; i < repeats; ++i) {
    repeat one;
    one.run(i);
    wrong += one.wrong + (one.milliseconds.size() == repeat::ranks - 1 ? 0 : 1);
    all.insert(all.end(), one.milliseconds.begin(), one.milliseconds.end());
  }
  std::sort(all.begin(), all.end());
  auto const at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  auto const within = std::count_if(all.begin(), all.end(), [](double each) { return each <= 100.0; });
  std::printf("%zu notices of %u throws in ms: median %.3f, 90%% %.3f, 99%% %.3f, 99.9%% %.3f, largest %.3f\n",
              all.size(), repeats, at(0.5), at(0.9), at(0.99), at(0.999), all.back());
  bool const good = wrong == 0 && at(0.99) <= 100.0 && all.back() <= 1000.0;
  std::printf("%.3f %% within 100 ms, %s within 1000 ms, %d wrong errors\n",
              100.0 * static_cast<double>(within) / static_cast<double>(all.size()),
              all.back() <= 1000.0 ? "all" : "not all", wrong);
  return good ? 0 : 1;
}
