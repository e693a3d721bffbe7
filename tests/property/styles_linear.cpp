// SPDX-License-Identifier: Apache-2.0
// Linear styles against the dense result, on every number of ranks, with uneven and empty shards.
#include "../support/style_trial.hpp"

#include <array>
#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

using sharded_tokens = sharded<tokens>;

struct size {
  index_t height, in, out;
};

/// Even, uneven, fewer features than ranks, no tokens, fewer tokens than ranks.
constexpr std::array<size, 6> plain{{{5, 8, 6}, {33, 34, 62}, {7, 10, 4}, {0, 8, 6}, {1, 2, 2}, {3, 2, 16}}};
/// The same for an axis of q|k|v, which has eight units: some segments are shorter than there are ranks.
constexpr std::array<size, 6> fused{{{5, 64, 64}, {33, 40, 56}, {7, 24, 8}, {0, 8, 40}, {1, 8, 8}, {3, 16, 88}}};

template <class Style, class T = float>
void check(lies input, lies output, double tolerance = 1e-5, std::array<size, 6> const& sizes = plain) {
  for (int const ranks : {1, 2, 3, 4, 8}) {
    for (size const s : sizes) {
      for (bool const bias : {false, true}) {
        linear_case const c{ranks, s.height, s.in, s.out, bias, 1 + ranks % 2};
        CAPTURE(ranks);
        CAPTURE(s.height);
        CAPTURE(s.in);
        CAPTURE(s.out);
        CAPTURE(bias);
        outcome const found = try_linear<Style, cut_by<Style>, T>(c, input, output);
        CHECK(found.problem == "");
        CHECK(found.difference <= tolerance);
      }
    }
  }
}

}  // namespace

TEST_CASE("colwise") { check<colwise<tp>>(lies::whole, lies::by_features); }
TEST_CASE("colwise from parts of the tokens") {
  check<colwise<tp, sharded_tokens>>(lies::by_tokens, lies::by_features);
}
TEST_CASE("colwise_gather_output") { check<colwise_gather_output<tp>>(lies::whole, lies::whole); }
TEST_CASE("rowwise") { check<rowwise<tp>>(lies::by_features, lies::whole); }
TEST_CASE("rowwise to parts of the tokens") { check<rowwise<tp, sharded_tokens>>(lies::by_features, lies::by_tokens); }
TEST_CASE("rowwise_split_input") { check<rowwise_split_input<tp>>(lies::whole, lies::whole); }
TEST_CASE("packed_colwise") { check<packed_colwise<tp>>(lies::whole, lies::by_packed_features); }
TEST_CASE("packed_colwise from parts of the tokens") {
  check<packed_colwise<tp, two_segments, sharded_tokens>>(lies::by_tokens, lies::by_packed_features);
}
TEST_CASE("packed_rowwise") { check<packed_rowwise<tp>>(lies::by_packed_features, lies::whole); }
TEST_CASE("packed_colwise of q|k|v, three segments of two sizes") {
  check<packed_colwise<tp, query_key_value>>(lies::whole, lies::by_query_key_value, 1e-5, fused);
  check<packed_colwise<tp, query_key_value, sharded_tokens>>(lies::by_tokens, lies::by_query_key_value, 1e-5, fused);
}
TEST_CASE("packed_rowwise of q|k|v") {
  check<packed_rowwise<tp, query_key_value>>(lies::by_query_key_value, lies::whole, 1e-5, fused);
  check<packed_rowwise<tp, query_key_value, sharded_tokens>>(lies::by_query_key_value, lies::by_tokens, 1e-5, fused);
}
TEST_CASE("replicated linear") { check<replicated_linear>(lies::whole, lies::whole); }

TEST_CASE("linear styles in bf16 and double") {
  check<rowwise<tp>, bf16>(lies::by_features, lies::whole, 0.08);
  check<rowwise<tp>, double>(lies::by_features, lies::whole, 1e-13);
}
