// SPDX-License-Identifier: Apache-2.0
// Linear styles backward against the dense gradients, on every number of ranks, with uneven and empty shards.
#include "../support/backward_trial.hpp"

#include <array>
#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

struct size {
  index_t height, in, out;
};
/// Uneven, fewer features than ranks, no tokens.
constexpr std::array<size, 4> plain{{{5, 10, 14}, {7, 2, 2}, {0, 8, 6}, {1, 16, 6}}};

template <class Style, class T = double>
void check(lies input, lies output, double tolerance = 1e-10) {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (size const s : plain) {
      CAPTURE(ranks);
      CAPTURE(s.height);
      CAPTURE(s.in);
      linear_case const c{ranks, s.height, s.in, s.out, (ranks + s.height) % 2 == 0, 1 + ranks % 2};
      outcome const found = back_linear<Style, T>(c, input, output);
      CHECK(found.problem == "");
      CHECK(found.difference <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE("colwise backward") { check<colwise<tp>>(lies::whole, lies::by_features); }
TEST_CASE("colwise from parts of the tokens, backward") {
  check<colwise<tp, sharded<tokens>>>(lies::by_tokens, lies::by_features);
}
TEST_CASE("colwise_gather_output backward") { check<colwise_gather_output<tp>>(lies::whole, lies::whole); }
TEST_CASE("rowwise backward") { check<rowwise<tp>>(lies::by_features, lies::whole); }
TEST_CASE("rowwise to parts of the tokens, backward") {
  check<rowwise<tp, sharded<tokens>>>(lies::by_features, lies::by_tokens);
}
TEST_CASE("rowwise_split_input backward") { check<rowwise_split_input<tp>>(lies::whole, lies::whole); }
TEST_CASE("packed_colwise backward") { check<packed_colwise<tp>>(lies::whole, lies::by_packed_features); }
TEST_CASE("packed_rowwise backward") { check<packed_rowwise<tp>>(lies::by_packed_features, lies::whole); }
TEST_CASE("replicated linear backward") { check<replicated_linear>(lies::whole, lies::whole); }
