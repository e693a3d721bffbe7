// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/grouped_checks.hpp>

#include <doctest/doctest.h>

using namespace heddle;
using cuda::grouped_sizes;

namespace {

constexpr grouped_sizes fitting{
    .wide_rows = 7, .wide = 6, .narrow_rows = 7, .narrow = 5, .groups = 3, .out = 6, .in = 5, .begins = 4};

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::shape);
    return problem.what();
  }
  return "";
}
template <class Change>
std::string refusal_of(Change change, bool gathers = false) {
  grouped_sizes sizes = fitting;
  change(sizes);
  return refusal([&] { cuda::check_grouped("multiply_grouped", sizes, gathers, 2); });
}

}  // namespace

TEST_CASE("grouped_checks: sizes that fit, and each that does not") {
  CHECK(refusal_of([](grouped_sizes&) {}).empty());
  CHECK(refusal_of([](grouped_sizes& of) { of.begins = 3; }).find("3 places where groups begin, for 3 groups") !=
        std::string::npos);
  CHECK_FALSE(refusal_of([](grouped_sizes& of) { of.wide = 5; }).empty());
  CHECK_FALSE(refusal_of([](grouped_sizes& of) { of.narrow = 6; }).empty());
  std::string const rows = refusal_of([](grouped_sizes& of) { of.narrow_rows = 8; });
  CHECK(rows.find("multiply_grouped: weights [6, 5] between inputs [8, 5] and outputs [7, 6]") != std::string::npos);
  CHECK(refusal_of([](grouped_sizes& of) { of.narrow_rows = 8; }, true).empty());  // rows of their own are gathered
}

TEST_CASE("grouped_checks: one source a row") {
  CHECK(refusal([] { cuda::check_source("f", 7, 7); }).empty());
  CHECK(refusal([] { cuda::check_source("f", 6, 7); }).find("f: 6 rows to gather for 7") != std::string::npos);
}
