// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/options.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace heddle;

namespace {

std::string refused(nccl::options const& settings) {
  try {
    nccl::check_options(settings, 5);
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(problem.rank() == 5);
    CHECK_FALSE(problem.hint().empty());
    return problem.text();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("nccl options: what stands there unless somebody asks for something else") {
  nccl::options const settings;
  CHECK(settings.deadline == std::chrono::seconds{60});
  CHECK(settings.sum == nccl::sum_mode::as_given);
  CHECK(settings.windows == nccl::window_mode::off);
  CHECK(settings.exchange == nccl::exchange_mode::any);
  CHECK(refused(settings) == "nothing");
}

TEST_CASE("nccl options: what no communicator can have is refused with its number") {
  CHECK(refused({.deadline = std::chrono::nanoseconds{0}}) == "the deadline is 0 ns");
  CHECK(refused({.deadline = std::chrono::seconds{-1}}) == "the deadline is -1000000000 ns");
  CHECK(refused({.deadline = nccl::no_deadline}) == "nothing");
  CHECK(refused({.limits = {.elements = 0}}) == "a call may take 0 elements");
  CHECK(refused({.limits = {.operations = 1}}) == "a group may have 1 operations");
  CHECK(refused({.sum = nccl::sum_mode::f32, .sum_bytes = 3}) == "sums in f32 have 3 bytes to be made in");
  CHECK(refused({.sum = nccl::sum_mode::f32, .sum_bytes = 4}) == "nothing");
  CHECK(refused({.sum_bytes = 0}) == "nothing");
}
