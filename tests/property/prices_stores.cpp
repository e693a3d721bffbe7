// SPDX-License-Identifier: Apache-2.0
// What dispatchers send that store rows, or work over one group, is what their bills say, forward and backward.
#include "../support/price_trial.hpp"

#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>
#include <heddle/expert/glu_expert.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("prices of direct") {
  check_mixtures<direct_dispatcher<>, weight_at::origin, glu_expert<>>();
  check_mixtures<direct_dispatcher<>, weight_at::output, glu_expert<>>();
}
TEST_CASE("prices of direct with gaps, of experts that align their rows too") {
  using policy = direct_dispatcher<ep, etp, on_overflow::error, aligned_rows<3>>;
  check_mixtures<policy, weight_at::activation, glu_expert<aligned<4>>>();
}
TEST_CASE("prices of direct, tokens once a rank") {
  check_mixtures<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>, weight_at::output, glu_expert<>>();
}
TEST_CASE("prices of flex") {
  check_mixtures<flex_dispatcher<>, weight_at::origin, glu_expert<>>();
  check_mixtures<flex_dispatcher<ep, etp, by_direct<>>, weight_at::output, glu_expert<>>();
}
