// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts behind all_to_all, backward, on every factorisation of up to eight ranks.
#include "../support/moe_backward.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

template <class Style>
void check(weight_at at, moe_sizes const& sizes = {}) {
  moe_data const data = make_moe(sizes);
  for (split_of const& split : all_splits()) {
    CAPTURE(split.text());
    outcome const found = back_moe<Style>(split, data, at);
    CHECK(found.problem == "");
    CHECK(found.difference <= 1e-10);
  }
}
template <weight_at At, class Mode = grouped>
using layer_at = moe_layer<all_to_all_dispatcher<>, Mode, At>;

}  // namespace

TEST_CASE("all_to_all backward, weights at the origin") { check<layer_at<weight_at::origin>>(weight_at::origin); }
TEST_CASE("all_to_all backward, weights at the input") { check<layer_at<weight_at::input>>(weight_at::input); }
TEST_CASE("all_to_all backward, weights at the activation") {
  check<layer_at<weight_at::activation>>(weight_at::activation, {.tokens = 3, .ffn = 2, .experts = 3, .slots = 2});
}
TEST_CASE("all_to_all backward, weights at the output, experts one after another") {
  check<layer_at<weight_at::output, sequential>>(weight_at::output,
                                                 {.tokens = 9, .experts = 2, .slots = 1, .one_expert_takes_all = true});
}
