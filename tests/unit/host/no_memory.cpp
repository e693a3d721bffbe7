// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/no_memory.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("no memory is an error that says what it was for") {
  int const seven = host::with_memory_for("a number", [] { return 7; });
  CHECK(seven == 7);
  try {
    host::with_memory_for("a product", [] { throw std::bad_alloc{}; });
    CHECK(false);
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.text() == "the system has no memory for a product");
    CHECK(!problem.hint().empty());
  }
  CHECK_THROWS_AS(host::with_memory_for("what fails by itself", [] { throw 3; }), int);
}

TEST_CASE("where there is no memory for words the kind remains") {
  try {
    host::throw_in_words([]() -> error { throw std::bad_alloc{}; });
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::workspace);
    CHECK(problem.text().empty());
  }
  try {
    host::throw_in_words([] { return error(error_kind::io, "words"); });
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::io);
  }
}
