// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/partition.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

/// Every item of the axis belongs to exactly one rank, pieces are in rank order within a segment.
template <class Partition>
bool is_bijection(std::int64_t total, int parts) {
  std::vector<int> owners(static_cast<std::size_t>(total), 0);
  bool ordered = true;
  for (int segment = 0; segment < Partition::segments; ++segment) {
    std::int64_t next = -1;
    for (int index = 0; index < parts; ++index) {
      range const piece = Partition::piece(total, parts, index, segment);
      ordered =
          ordered && piece.size >= 0 && piece.begin >= 0 && piece.end() <= total && (next < 0 || piece.begin == next);
      next = piece.end();
      for (std::int64_t i = piece.begin; i < piece.end(); ++i) ++owners[static_cast<std::size_t>(i)];
    }
  }
  for (int count : owners) ordered = ordered && count == 1;
  std::int64_t sum = 0;
  for (int index = 0; index < parts; ++index) sum += size_of_part<Partition>(total, parts, index);
  return ordered && sum == total;
}

template <class Partition>
std::vector<std::int64_t> sizes(std::int64_t total, int parts) {
  std::vector<std::int64_t> result;
  for (int index = 0; index < parts; ++index) result.push_back(size_of_part<Partition>(total, parts, index));
  return result;
}

using list = std::vector<std::int64_t>;
using fused_qkv = segmented<ceil_chunk, 4, 2, 2>;

}  // namespace

TEST_CASE("partitions: pieces are a bijection of the axis for every total and number of ranks") {
  for (std::int64_t total = 0; total <= 40; ++total) {
    for (int parts = 1; parts <= 17; ++parts) {
      CAPTURE(total);
      CAPTURE(parts);
      CHECK(is_bijection<ceil_chunk>(total, parts));
      CHECK(is_bijection<balanced>(total, parts));
      if (total % parts == 0) CHECK(is_bijection<even>(total, parts));
      if (total % 2 == 0) CHECK(is_bijection<segmented<ceil_chunk, 1, 1>>(total, parts));
      if (total % 8 == 0) CHECK(is_bijection<fused_qkv>(total, parts));
      if (total % 3 == 0) CHECK(is_bijection<segmented<balanced, 2, 1>>(total, parts));
      if (total % 5 == 0) CHECK(is_bijection<segmented<balanced, 5>>(total, parts));
    }
  }
}

TEST_CASE("ceil_chunk: torch.chunk's rule, with empty tails") {
  CHECK(sizes<ceil_chunk>(16, 14) == list{2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0});
  CHECK(sizes<ceil_chunk>(16, 3) == list{6, 6, 4});
  CHECK(sizes<ceil_chunk>(10, 4) == list{3, 3, 3, 1});
  CHECK(sizes<ceil_chunk>(5, 4) == list{2, 2, 1, 0});
  static_assert(ceil_chunk::piece(10, 4, 3) == range{9, 1});  // the start of the short piece, as a vocabulary needs it
  static_assert(ceil_chunk::piece(5, 4, 3) == range{5, 0});
  static_assert(ceil_chunk::piece(0, 3, 2) == range{0, 0});
}

TEST_CASE("balanced: sizes differ by at most one, longer ones first") {
  CHECK(sizes<balanced>(10, 4) == list{3, 3, 2, 2});
  CHECK(sizes<balanced>(3, 5) == list{1, 1, 1, 0, 0});
  static_assert(balanced::piece(10, 4, 2) == range{6, 2});
}

TEST_CASE("even: equal pieces or an error with both numbers") {
  static_assert(even::piece(12, 4, 3) == range{9, 3});
  try {
    static_cast<void>(even::piece(10, 4, 0));
    FAIL("cut 10 evenly in 4");
  } catch (error const& e) {
    CHECK(e.kind() == error_kind::shape);
    CHECK(e.text() == "10 does not divide by 4");
  }
}

TEST_CASE("segmented: a rank owns its piece of every segment") {
  using gate_up = segmented<ceil_chunk, 1, 1>;
  static_assert(gate_up::piece(12, 2, 1, 0) == range{3, 3} && gate_up::piece(12, 2, 1, 1) == range{9, 3});
  static_assert(fused_qkv::segments == 3);
  static_assert(fused_qkv::piece(16, 2, 1, 0) == range{4, 4} && fused_qkv::piece(16, 2, 1, 1) == range{10, 2} &&
                fused_qkv::piece(16, 2, 1, 2) == range{14, 2});
  static_assert(size_of_part<gate_up>(14, 4, 3) == 2 && size_of_part<gate_up>(14, 4, 0) == 4);  // 7 a half: 2, 2, 2, 1
  CHECK_THROWS_AS(static_cast<void>(gate_up::piece(7, 2, 0, 0)), error);
}

TEST_CASE("as_given: each rank has what it brings") { static_assert(as_given::piece(7, 3, 2) == range{0, 7}); }

TEST_CASE("partition: the concept wants segments and pieces") {
  static_assert(partition<ceil_chunk> && partition<balanced> && partition<even> && partition<as_given> &&
                partition<fused_qkv>);
  struct nothing {};
  static_assert(!partition<nothing> && !partition<int>);
}

TEST_CASE("partitions: 64-bit totals") {
  constexpr std::int64_t huge = (std::int64_t{1} << 40) + 1;
  static_assert(ceil_chunk::piece(huge, 8, 7).end() == huge && balanced::piece(huge, 8, 0).size == (huge - 1) / 8 + 1);
}

TEST_CASE("partition: units stay whole, whatever deals them out") {
  using pairs = units<ceil_chunk, 2>;
  static_assert(pairs::piece(14, 4, 0) == range{0, 4});  // 7 pairs over 4: 2, 2, 2, 1
  static_assert(pairs::piece(14, 4, 3) == range{12, 2});
  static_assert(units<balanced, 3>::piece(15, 4, 1) == range{6, 3});  // 5 over 4: 2, 1, 1, 1
  static_assert(units<segmented<ceil_chunk, 1, 1>, 2>::segments == 2);
  static_assert(units<segmented<ceil_chunk, 1, 1>, 2>::piece(24, 4, 1, 1) == range{16, 4});
  static_assert(segmented<units<ceil_chunk, 3>, 1, 1>::piece(18, 2, 1, 1) == range{15, 3});  // units inside a half
  for (int parts = 1; parts <= 9; ++parts) {
    CHECK(is_bijection<pairs>(14, parts));
    CHECK(is_bijection<pairs>(0, parts));
    CHECK(is_bijection<units<balanced, 8>>(40, parts));
    CHECK(is_bijection<segmented<units<balanced, 3>, 1, 2>>(36, parts));
    for (int index = 0; index < parts; ++index) CHECK(size_of_part<units<balanced, 8>>(40, parts, index) % 8 == 0);
  }
  CHECK_THROWS_AS(pairs::piece(13, 2, 0), error);
}

TEST_CASE("partition: the rule for one segment alone") {
  static_assert(std::same_as<segment_rule_t<balanced>, balanced>);
  static_assert(std::same_as<segment_rule_t<segmented<balanced, 1, 1>>, balanced>);
  static_assert(std::same_as<segment_rule_t<units<ceil_chunk, 2>>, units<ceil_chunk, 2>>);
  static_assert(std::same_as<segment_rule_t<segmented<units<balanced, 3>, 4, 2>>, units<balanced, 3>>);
  static_assert(std::same_as<segment_rule_t<units<segmented<ceil_chunk, 1, 1>, 2>>, units<ceil_chunk, 2>>);
}
