// SPDX-License-Identifier: Apache-2.0
// Only what comes in time: tests/faults/mpi_windows.cpp has what does not.
#include <heddle/mpi/watchdog.hpp>

#include <doctest/doctest.h>
#include <stdexcept>

using namespace heddle;

TEST_CASE("calls that end in time are left alone, whatever ends them") {
  int const rank = 0;
  mpi::watchdog dog{&rank};
  int made = 0;
  for (int i = 0; i < 1000; ++i) dog.over("a test", std::chrono::seconds{20}, [&] { ++made; });
  dog.over("a test", mpi::no_deadline, [&] { ++made; });
  CHECK(made == 1001);
  CHECK_THROWS_AS(dog.over("a test", std::chrono::milliseconds{50}, [] { throw std::runtime_error("done"); }),
                  std::runtime_error);
  std::this_thread::sleep_for(std::chrono::milliseconds{100});  // and of those that have ended nothing is counted
  dog.over("a test", std::chrono::seconds{20}, [&] { ++made; });
  CHECK(made == 1002);
}
