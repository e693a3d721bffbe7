// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/slice.hpp>

#include <doctest/doctest.h>

#include <array>

#include "support.hpp"

namespace {

using heddle::box;
using heddle::range;
using namespace heddle::checkpoint::detail;
using run_list = std::vector<std::array<std::int64_t, 3>>;

run_list runs(box const& where, box const& part) {
  run_list result;
  slice_of(where, part).for_each_run([&](std::int64_t from, std::int64_t to, std::int64_t size) {
    result.push_back({from, to, size});
  });
  return result;
}

}  // namespace

TEST_CASE("slice: runs join wherever both sides are contiguous") {
  CHECK(runs(box::all({4, 5, 6}), box::all({4, 5, 6})) == run_list{{0, 0, 120}});
  CHECK(runs(box::all({4, 5, 6}), box{{{{1, 2}}, {{0, 5}}, {{0, 6}}}}) == run_list{{30, 0, 60}});
  CHECK(runs(box::all({4, 5, 6}), box{{{{1, 2}}, {{2, 2}}, {{0, 6}}}}) == run_list{{42, 0, 12}, {72, 12, 12}});
  CHECK(runs(box::all({2, 6}), box{{{{0, 2}}, {{3, 2}}}}) == run_list{{3, 0, 2}, {9, 2, 2}});
  CHECK(runs(box::all({6}), box{{{{0, 2}, {2, 2}}}}) == run_list{{0, 0, 4}});             // neighbours merge
  CHECK(runs(box::all({6}), box{{{{2, 2}, {0, 2}}}}) == run_list{{2, 0, 2}, {0, 2, 2}});  // the order of the box counts
  CHECK(runs(box::all({3}), box{{{{0, 1}, {1, 0}, {2, 1}}}}) == run_list{{0, 0, 1}, {2, 1, 1}});
  CHECK(runs(box::all({}), box{}) == run_list{{0, 0, 1}});  // a scalar
  CHECK(runs(box::all({3, 0}), box::all({3, 0})).empty());
  CHECK(runs(box{{{{0, 2}}}}, box{{{{2, 2}}}}).empty());
  // A tensor in the middle of what the rank owns: whole in the file, not whole in the local tensor.
  CHECK(runs(box{{{{0, 2}}, {{2, 2}}}}, box::all({2, 6})) == run_list{{0, 2, 2}, {2, 8, 2}});
  CHECK(runs(box{{{{2, 1}}, {{0, 6}}}}, box::all({4, 6})) == run_list{{0, 12, 6}});
}

TEST_CASE("slice: a tensor stands for its place, apart from missing unit axes") {
  box const expert{{{{3, 1}}, {{0, 8}}, {{0, 16}}}};
  CHECK(stands_for({8, 16}, expert));
  CHECK(stands_for({1, 8, 16}, expert));
  CHECK_FALSE(stands_for({16, 8}, expert));
  CHECK_FALSE(stands_for({8, 1, 16}, expert));
  CHECK_FALSE(stands_for({1, 1, 8, 16}, expert));
  CHECK_FALSE(stands_for({8}, expert));
  CHECK(stands_for({}, box{{{{0, 1}}, {{5, 1}}}}));
  CHECK(stands_for({}, box{}));
  CHECK_FALSE(stands_for({1}, box{}));
  CHECK(stands_for({1, 4}, box::all({1, 1, 4})));
  CHECK(stands_for({0}, box::all({1, 0})));
}

TEST_CASE("slice: boxes lie inside their parameter, and offsets fit 64 bits") {
  auto const kind = [](box const& part, heddle::shape_t const& global) {
    return checkpoint_test::kind_from([&] { require_inside("the box", part, global); });
  };
  CHECK(kind(box::all({4, 6}), {4, 6}) == "none");
  CHECK(kind(box{{{{4, 0}}, {{0, 6}}}}, {4, 6}) == "none");
  CHECK(kind(box{{{{3, 2}}, {{0, 6}}}}, {4, 6}) == "shape");
  CHECK(kind(box{{{{-1, 2}}, {{0, 6}}}}, {4, 6}) == "shape");
  CHECK(kind(box{{{{0, -2}}, {{0, 6}}}}, {4, 6}) == "shape");
  CHECK(kind(box{{{{0, 3}, {1, 3}}}}, {4}) == "shape");  // more items than there are
  CHECK(kind(box::all({4}), {4, 6}) == "shape");
  std::int64_t const large = std::int64_t{1} << 40;
  CHECK(kind(box{{{{0, 1}}, {{0, 1}}}}, {large, large}) == "shape");
  CHECK(kind(box{{{{large - 1, 1}}}}, {large}) == "none");
  CHECK(kind(box{{{{0x7fffffffffffffff, 0x7fffffffffffffff}}}}, {large}) == "shape");
}

TEST_CASE("slice: offsets beyond 2^31 elements") {
  std::int64_t const wide = std::int64_t{1} << 33;
  CHECK(runs(box::all({3, wide}), box{{{{2, 1}}, {{5, 7}}}}) == run_list{{2 * wide + 5, 0, 7}});
}

TEST_CASE("slice: boxes read well") {
  CHECK(text_of(box{{{{3, 1}}, {{0, 8}, {16, 8}}}}) == "[3, 4) x [0, 8)+[16, 24)");
  CHECK(text_of(box{}) == "scalar");
  CHECK(text_of(heddle::shape_t{2, 3}) == "[2, 3]");
}
