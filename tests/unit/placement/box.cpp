// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/box.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

using gate_up = segmented<ceil_chunk, 1, 1>;

/// Ranks' boxes of a tensor: the items they own, counted over all ranks.
template <partition Partition>
std::int64_t owned(shape_t const& shape, std::size_t axis, int parts) {
  std::int64_t sum = 0;
  for (int index = 0; index < parts; ++index) {
    box part = box::all(shape);
    part.cut<Partition>(axis, parts, index);
    sum += part.count();
  }
  return sum;
}

}  // namespace

TEST_CASE("box: the whole of a tensor of any rank") {
  CHECK(box::all({}).count() == 1);
  CHECK(box::all({}).shape().empty());
  CHECK(box::all({5}).shape() == shape_t{5});
  CHECK(box::all({2, 3, 4}).count() == 24);
  CHECK(box::all({2, 0}).count() == 0);
}

TEST_CASE("box: one cut, uneven and empty") {
  box part = box::all({10, 4});
  part.cut<ceil_chunk>(0, 4, 3);
  CHECK(part.shape() == shape_t{1, 4});
  CHECK(part.axes[0][0] == range{9, 1});
  CHECK(part.axes[1][0] == range{0, 4});
  box none = box::all({5});
  none.cut<ceil_chunk>(0, 4, 3);
  CHECK(none.shape() == shape_t{0});
  CHECK(none.count() == 0);
}

TEST_CASE("box: a packed axis has a range for every segment, in storage order") {
  box part = box::all({3, 14, 5});
  part.cut<gate_up>(1, 4, 3);
  CHECK(part.axes[1] == std::vector<range>{{6, 1}, {13, 1}});
  CHECK(part.shape() == shape_t{3, 2, 5});
}

TEST_CASE("box: two axes, and one axis twice, outer cut first") {
  box part = box::all({8, 12, 4});
  part.cut<ceil_chunk>(0, 4, 2);
  part.cut<gate_up>(1, 2, 0);
  CHECK(part.shape() == shape_t{2, 6, 4});
  CHECK(part.axes[0] == std::vector<range>{{4, 2}});
  CHECK(part.axes[1] == std::vector<range>{{0, 3}, {6, 3}});
  box nested = box::all({13});
  nested.cut<ceil_chunk>(0, 2, 1);  // [7, 13)
  nested.cut<balanced>(0, 4, 1);    // 2, 2, 1, 1 of it
  CHECK(nested.axes[0] == std::vector<range>{{9, 2}});
  box packed = box::all({16});
  packed.cut<ceil_chunk>(0, 2, 1);
  packed.cut<gate_up>(0, 2, 1);
  CHECK(packed.axes[0] == std::vector<range>{{10, 2}, {14, 2}});
}

TEST_CASE("box: ranks together own every element once") {
  for (int parts = 1; parts <= 9; ++parts) {
    CHECK(owned<ceil_chunk>({7, 3}, 0, parts) == 21);
    CHECK(owned<balanced>({2, 11, 3}, 1, parts) == 66);
    CHECK(owned<gate_up>({2, 3, 14}, 2, parts) == 84);
    CHECK(owned<gate_up>({14}, 0, parts) == 14);
  }
}

TEST_CASE("box: an axis that is not there, or already in segments, cannot be cut") {
  box part = box::all({8});
  CHECK_THROWS_AS(part.cut<ceil_chunk>(1, 2, 0), error);
  part.cut<gate_up>(0, 2, 0);
  CHECK_THROWS_AS(part.cut<ceil_chunk>(0, 2, 0), error);
  CHECK(part.shape() == shape_t{4});  // unchanged by the refusal
  box odd = box::all({7});
  CHECK_THROWS_AS(odd.cut<gate_up>(0, 2, 0), error);
  CHECK(odd == box::all({7}));
}

TEST_CASE("box: what two groups cut in the same segments is cut segment by segment") {
  box part = box::all({20, 3});
  part.cut<gate_up>(0, 2, 1);  // [5, 10) and [15, 20)
  part.cut<gate_up>(0, 3, 0);  // 2, 2, 1 of each
  CHECK(part.axes[0] == std::vector<range>{{5, 2}, {15, 2}});
  for (int outer : {1, 2, 3}) {
    for (int inner : {1, 2, 4, 7}) {
      std::vector<int> seen(14);
      for (int o = 0; o < outer; ++o) {
        for (int i = 0; i < inner; ++i) {
          box both = box::all({14});
          both.cut<gate_up>(0, outer, o);
          both.cut<gate_up>(0, inner, i);
          CHECK(both.axes[0].size() == 2);
          CHECK((both.axes[0][0].end() <= 7 && both.axes[0][1].begin >= 7));
          for (range const piece : both.axes[0]) {
            for (auto at = piece.begin; at < piece.end(); ++at) ++seen[static_cast<std::size_t>(at)];
          }
        }
      }
      CHECK(seen == std::vector<int>(14, 1));
    }
  }
  box thirds = box::all({12});
  thirds.cut<segmented<ceil_chunk, 1, 1, 1>>(0, 2, 0);
  CHECK_THROWS_AS(thirds.cut<gate_up>(0, 2, 0), error);  // other segments
}

TEST_CASE("box: the static form says at compile time what the other says at run time") {
  constexpr auto part = [] {
    auto result = static_box<3, 2>::all({3, 14, 5});
    result.cut<gate_up>(1, 4, 3);
    result.cut<ceil_chunk>(0, 2, 1);
    return result;
  }();
  static_assert(part.shape() == std::array<std::int64_t, 3>{1, 2, 5});
  static_assert(part.count() == 10);
  static_assert(part.axes[1].size() == 2 && part.axes[1][0] == range{6, 1} && part.axes[1][1] == range{13, 1});
  static_assert(static_box<0>::all({}).count() == 1);
  box same = box::all({3, 14, 5});
  same.cut<gate_up>(1, 4, 3);
  same.cut<ceil_chunk>(0, 2, 1);
  CHECK(part.dynamic() == same);
  auto narrow = static_box<1>::all({14});
  CHECK_THROWS_AS(narrow.cut<gate_up>(0, 2, 0), error);  // two ranges do not fit
  CHECK_THROWS_AS(narrow.cut<ceil_chunk>(1, 2, 0), error);
  CHECK(narrow == static_box<1>::all({14}));
}
