// SPDX-License-Identifier: Apache-2.0
// A mutation is a style, an operation or a cut with one mistake in it. The function that judges the real thing must
// refuse it: by numbers that differ, or by an error before anyone waits for ever.
#pragma once

#include <cstdio>
#include <doctest/doctest.h>
#include <string>

namespace mutations {

struct mutation {
  std::string mistake;
  support::outcome found;
};

/// The unharmed original passes, and every mutation is caught.
inline void check(std::string const& original, support::outcome const& unharmed, std::initializer_list<mutation> list,
                  double tolerance = 3e-5) {
  CAPTURE(original);
  CHECK(unharmed.problem == "");
  CHECK(unharmed.difference <= tolerance);
  for (mutation const& each : list) {
    CAPTURE(each.mistake);
    bool const caught = !each.found.problem.empty() || each.found.difference > 0.01;
    CHECK(caught);
    std::string const why =
        each.found.problem.empty() ? "off by " + std::to_string(each.found.difference) : each.found.problem;
    std::printf("%s, %s: %s\n", original.c_str(), each.mistake.c_str(), why.c_str());
  }
}

}  // namespace mutations
