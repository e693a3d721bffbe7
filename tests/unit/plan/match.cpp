// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/match.hpp>
// own header first
#include <doctest/doctest.h>

namespace {

using heddle::matches;
using heddle::parent_of;

static_assert(matches("norm", "norm"));
static_assert(matches("layers.*.mlp", "layers.12.mlp"));
static_assert(matches("layers.*.mlp", "layers.*.mlp"));   // a model's code asks for all layers at once
static_assert(!matches("layers.*.mlp", "layers.x.mlp"));  // digits only
static_assert(!matches("layers.*.mlp", "layers.1a.mlp"));
static_assert(!matches("layers.*.mlp", "layers.1"));
static_assert(!matches("layers.*", "layers.1.mlp"));
static_assert(!matches("experts.*.w1", "experts.1.w2"));  // a digit inside a component is no wildcard
static_assert(!matches("layers.1.mlp", "layers.2.mlp"));
static_assert(!matches("", "a") && !matches("a", ""));
static_assert(matches("*.*", "0.1") && !matches("*.*", "0"));

static_assert(parent_of("a.b.weight") == "a.b");
static_assert(parent_of("a.b.bias") == "a.b");
static_assert(parent_of("a.b.scale").empty());
static_assert(parent_of(".weight").empty() && parent_of("weight").empty());

TEST_CASE("match: a name with a trailing dot is another name") {
  CHECK_FALSE(matches("a.b", "a.b.c"));
  CHECK_FALSE(matches("a.b.c", "a.b"));
  CHECK_FALSE(matches("a.b", "a.b."));
  CHECK_FALSE(matches("a.b.", "a.b"));
  CHECK(matches("a.b.", "a.b."));
}

}  // namespace
