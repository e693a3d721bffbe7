// SPDX-License-Identifier: Apache-2.0
// Members of the compiled policies, drawn by number, against the oracle: outputs, counts, losses and all gradients.
// HEDDLE_TRAIN_MEMBERS says how many (300), HEDDLE_TRAIN_FIRST from which number on (1).
#include "../support/train_draw.hpp"

#include <cstdlib>
#include <doctest/doctest.h>

namespace {

std::uint64_t number_in(char const* variable, std::uint64_t otherwise) {
  char const* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What is wrong with a member, and how to see it again; empty where nothing is.
std::string judged(std::uint64_t seed) {
  train::member const of = train::drawn(seed);
  std::string const wrong = train::difference(train::run(of), train::expected(of), of.wide ? 1e-10 : 2e-5);
  if (wrong.empty()) return wrong;
  return wrong + "\n  of " + of.text() + "\n  again: HEDDLE_TRAIN_FIRST=" + std::to_string(seed) +
         " HEDDLE_TRAIN_MEMBERS=1 test_property_train";
}

}  // namespace

TEST_CASE("random layers under random policies on random ranks are the oracle's") {
  std::uint64_t const first = number_in("HEDDLE_TRAIN_FIRST", 1);
  std::uint64_t const count = number_in("HEDDLE_TRAIN_MEMBERS", 300);
  for (std::uint64_t seed = first; seed < first + count; ++seed) CHECK(judged(seed) == "");
}
