// SPDX-License-Identifier: Apache-2.0
// A line that tells how far loading is, rewritten a few times a second while there is a terminal to read it.
#pragma once

#include "model.hpp"
#include "shards.hpp"
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace hf {

class ticker {
 public:
  ticker(progress const& done, model const& whole, grid_type const& grid, int rank, std::size_t element_size,
         bool wanted) {
    if (!wanted || isatty(STDERR_FILENO) == 0) return;
    std::size_t total = 0;
    for (parameter const& each : whole.parameters) {
      total += static_cast<std::size_t>(part_of(whole.settings.model, each, grid, rank).count()) * element_size;
    }
    worker_ = std::jthread{[&done, total, this](std::stop_token stop) {
      std::unique_lock lock{mutex_};
      while (!wake_.wait_for(lock, stop, std::chrono::milliseconds{200}, [&] { return stop.stop_requested(); })) {
        double const part = total == 0 ? 1 : static_cast<double>(done.load()) / static_cast<double>(total);
        std::fprintf(stderr, "\rloading %3.0f %% of %.1f MiB a rank", 100 * part,
                     static_cast<double>(total) / (1 << 20));
      }
      std::fprintf(stderr, "\r%60s\r", "");
    }};
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread worker_;
};

}  // namespace hf
