// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/place_gates.hpp>

#include <doctest/doctest.h>
#include <heddle/kernel/take_gates.hpp>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("place_gates: numbers of rows go back to their pairs, 0 where a pair has no row", Weight, float,
                   double) {
  std::vector<std::int32_t> slot_to_row{2, -1, 0, 3, -1, -1, 1, 4};
  std::vector<std::int32_t> row_to_token{1, 3, 0, 1, 3};
  std::vector<std::int32_t> row_to_slot{0, 0, 0, 1, 1};
  auto x = sample::numbers<Weight>(5, 1);
  for (int lanes : {0, 3}) {
    std::vector<Weight> y(8, Weight{9});
    sample::launch(kernel::place_gates<host_memory, Weight>{.x = sample::list_of(x),
                                                            .slot_to_row = sample::slots_of(slot_to_row, 4, 2),
                                                            .y = sample::slots_of(y, 4, 2)},
                   4, lanes);
    CHECK(y == std::vector<Weight>{x[2], 0, x[0], x[3], 0, 0, x[1], x[4]});
    // Taking them again gives the rows.
    std::vector<Weight> back(5);
    sample::launch(kernel::take_gates<host_memory, Weight>{.weights = sample::slots_of(y, 4, 2),
                                                           .row_to_token = sample::list_of(row_to_token),
                                                           .row_to_slot = sample::list_of(row_to_slot),
                                                           .y = sample::list_of(back)},
                   5, lanes);
    CHECK(back == x);
  }
}

TEST_CASE("place_gates: no token") {
  std::vector<float> x, y;
  std::vector<std::int32_t> slot_to_row;
  sample::launch(
      kernel::place_gates<>{
          .x = sample::list_of(x), .slot_to_row = sample::slots_of(slot_to_row, 0, 2), .y = sample::slots_of(y, 0, 2)},
      0);
  CHECK(y.empty());
}
