// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/error.hpp>

#include <doctest/doctest.h>

using heddle::error;
using heddle::error_kind;

TEST_CASE("error: the text says kind, fault, place among the ranks and remedy") {
  CHECK(std::string{error(error_kind::shape, "5 does not fit 4").what()} == "heddle: shape: 5 does not fit 4");
  error const full(error_kind::io, "no such file", "look elsewhere", 3);
  CHECK(std::string{full.what()} == "heddle: io: no such file [rank 3] Fix: look elsewhere");
  CHECK(full.kind() == error_kind::io);
  CHECK(full.text() == "no such file");
  CHECK(full.hint() == "look elsewhere");
  CHECK(full.rank() == 3);
  CHECK(full.culprit() == -1);
  CHECK(full.sequence() == -1);
}

TEST_CASE("error: a communicator adds culprit, operation and number") {
  error const blamed = error(error_kind::timeout, "rank 2 is late", "wait longer", 0).blames(2, "all_reduce", 17);
  CHECK(std::string{blamed.what()} ==
        "heddle: timeout: rank 2 is late [all_reduce #17] [culprit rank 2] [rank 0] Fix: wait longer");
  CHECK(blamed.culprit() == 2);
  CHECK(blamed.operation() == "all_reduce");
  CHECK(blamed.sequence() == 17);
}

TEST_CASE("error: it remembers where it was made") {
  auto const line = static_cast<unsigned>(__LINE__) + 1;
  error const here(error_kind::argument, "x");
  CHECK(here.where().line == line);
  CHECK(std::string_view{here.where().file}.ends_with("error.cpp"));
}

TEST_CASE("name_of: every kind has a name of its own") {
  std::string all;
  for (int kind = 0; kind <= static_cast<int>(error_kind::poisoned); ++kind) {
    std::string const name{"|" + std::string{name_of(static_cast<error_kind>(kind))} + "|"};
    CHECK(name != "|unknown|");
    CHECK(all.find(name) == std::string::npos);
    all += name;
  }
  CHECK(heddle::name_of(static_cast<error_kind>(100)) == "unknown");
}
