// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/arguments.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace heddle;

namespace {

template <class Call>
std::string complaint(Call call) {
  try {
    call();
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(!problem.hint().empty());
    return problem.text();
  }
  return "";
}

}  // namespace

TEST_CASE("roots and colors") {
  CHECK(complaint([] { argument::check_root(3, 4); }) == "");
  CHECK(complaint([] { argument::check_root(4, 4); }) == "root is 4 in a group of 4 ranks");
  CHECK(complaint([] { argument::check_root(-1, 4); }) == "root is -1 in a group of 4 ranks");
  CHECK(complaint([] { argument::check_color(0); }) == "");
  CHECK(complaint([] { argument::check_color(-2); }) == "color is -2");
}

TEST_CASE("memory") {
  alignas(8) char bytes[32];
  auto* const crooked = reinterpret_cast<float*>(bytes + 2);
  CHECK(complaint([] { argument::check_memory<float>("data", {}); }) == "");
  CHECK(complaint([] { argument::check_memory<float>("data", {static_cast<float*>(nullptr), 0}); }) == "");
  CHECK(complaint([] {
          argument::check_memory<float>("data", {static_cast<float*>(nullptr), 2});
        }) == "data is null and has 2 elements");
  CHECK(complaint([&] { argument::check_memory<float>("data", {crooked, 2}); }) == "data is not aligned to 4 bytes");
  CHECK(complaint([&] { argument::check_memory<float>("data", {crooked, 0}); }) == "");
}

TEST_CASE("counts and room") {
  std::vector<index_t> const counts{3, 0, 4};
  std::vector<index_t> const wrapping(4, std::numeric_limits<index_t>::max());
  CHECK(complaint([&] { argument::check_counts("counts", counts, 3); }) == "");
  CHECK(complaint([&] { argument::check_counts("counts", counts, 2); }) ==
        "counts has 3 entries in a group of 2 ranks");
  CHECK(complaint([&] { argument::check_counts("counts", std::vector<index_t>{0, -1}, 2); }) == "counts[1] is -1");
  CHECK(complaint([&] { argument::check_room("recv", 7, counts); }) == "");
  CHECK(complaint([&] { argument::check_room("recv", 6, counts); }) ==
        "recv has room for 6 elements, the counts need more");
  CHECK(complaint([&] { argument::check_room("recv", 6, wrapping); }) != "");
  CHECK(complaint([] { argument::check_room("recv", 12, 4, 3); }) == "");
  CHECK(complaint([] { argument::check_room("recv", 11, 4, 3); }) ==
        "recv has room for 11 elements, the counts need 4 x 3");
  CHECK(complaint([] { argument::check_room("recv", 8, std::size_t{1} << 62, 4); }) != "");
  CHECK(complaint([] { argument::check_room("recv", 0, 0, 4); }) == "");
  CHECK(argument::total(counts) == 7);
}

TEST_CASE("overlap is found at the first shared element and not before") {
  std::vector<std::int32_t> data(10);
  std::span<std::int32_t const> const all{data};
  auto const apart = [](auto a, auto b) { return complaint([&] { argument::check_apart<std::int32_t>(a, b); }); };
  CHECK(apart(all.first(5), all.subspan(5)) == "");
  CHECK(apart(all.subspan(5), all.first(5)) == "");
  CHECK(apart(all.first(6), all.subspan(5)) == "send and recv overlap");
  CHECK(apart(all.subspan(5), all.first(6)) == "send and recv overlap");
  CHECK(apart(all, all) == "send and recv overlap");
  CHECK(apart(all, all.first(0)) == "");
}
