// SPDX-License-Identifier: Apache-2.0
// Sizes at the edge: no tokens, fewer tokens than ranks, empty ranks, one expert for all, every expert chosen.
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

using to_all = moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>;
using gather = moe_layer<all_gather_dispatcher<>, sequential, weight_at::output>;
using mask = moe_layer<sharded_masked, grouped, weight_at::output>;

std::vector<split_of> const splits{{1, 1, 1, 1}, {2, 2, 2, 1}, {2, 1, 1, 2}, {3, 1, 3, 1}, {4, 2, 2, 2}, {4, 4, 4, 1},
                                   {6, 2, 3, 2}, {8, 2, 8, 1}, {8, 4, 2, 4}, {8, 1, 4, 2}, {8, 8, 2, 2}};

void check(moe_sizes const& sizes) {
  moe_data const data = make_moe(sizes, 31);
  tensor const y = mixture(data.x, data.layer);
  std::vector<std::vector<float>> like(9);
  for (split_of const& split : splits) {
    CAPTURE(split.text());
    auto const a = run_moe<to_all>(split, data);
    CHECK(a.problem == "");
    CHECK(a.difference(y) <= 1e-4);
    auto& model = like[static_cast<std::size_t>(split.expert_tensor)];
    if (model.empty()) model = a.rows;
    CHECK(same_bits(a.rows, model));
    auto const b = run_moe<gather>(split, data, 2);
    CHECK(b.problem == "");
    CHECK(b.difference(y) <= 1e-4);
    auto const c = run_moe<mask>(split, data);
    CHECK(c.problem == "");
    CHECK(c.difference(y) <= 1e-4);
    if (split.tensor == split.expert * split.expert_tensor) {
      auto const d = run_moe<replicated_moe<sequential>>(split, data);
      CHECK(d.problem == "");
      CHECK(d.difference(y) <= 1e-4);
    }
  }
}

}  // namespace

TEST_CASE("no tokens") { check({.tokens = 0}); }
TEST_CASE("one token") { check({.tokens = 1}); }
TEST_CASE("fewer tokens than ranks") { check({.tokens = 3}); }
TEST_CASE("one expert a token") { check({.slots = 1}); }
TEST_CASE("every expert for every token") { check({.experts = 4, .slots = 4}); }
TEST_CASE("as many experts as ranks") { check({.experts = 8, .slots = 3}); }
TEST_CASE("fewer experts than ranks: some ranks own none") { check({.experts = 2, .slots = 2}); }
TEST_CASE("one expert in all") { check({.experts = 1, .slots = 1}); }
TEST_CASE("experts narrower than their tensor group: some ranks have no columns") { check({.ffn = 1}); }
TEST_CASE("one expert takes every token") {
  check({.tokens = 40, .experts = 6, .slots = 1, .one_expert_takes_all = true});
}
TEST_CASE("one expert takes every token and others share the rest") {
  check({.tokens = 40, .experts = 6, .slots = 2, .one_expert_takes_all = true});
}
TEST_CASE("many tokens, wide rows") { check({.tokens = 150, .width = 37, .ffn = 33, .experts = 12, .slots = 5}); }

TEST_CASE("a token of NaN leaves the bits of every other token alone") {
  moe_data const clean = make_moe({}, 5);
  moe_data dirty = clean;
  for (index_t h = 0; h < 10; ++h)
    dirty.x.data[static_cast<std::size_t>(4 * 10 + h)] = std::numeric_limits<double>::quiet_NaN();
  for (split_of const& split : splits) {
    CAPTURE(split.text());
    auto const compare = [](std::vector<float> const& a, std::vector<float> const& b) {
      for (std::size_t t = 0; t < 13; ++t) {
        bool const same = std::memcmp(&a[t * 10], &b[t * 10], 10 * sizeof(float)) == 0;
        CHECK(same == (t != 4));
      }
      CHECK(b[4 * 10] != b[4 * 10]);
    };
    compare(run_moe<to_all>(split, clean).rows, run_moe<to_all>(split, dirty).rows);
    compare(run_moe<gather>(split, clean).rows, run_moe<gather>(split, dirty).rows);
    compare(run_moe<mask>(split, clean).rows, run_moe<mask>(split, dirty).rows);
  }
}

TEST_CASE("a token's bits do not depend on the others in the batch") {
  moe_data const data = make_moe({.tokens = 40}, 9);
  moe_data part = data;
  part.x = {{7, 10}, {data.x.data.begin() + 50, data.x.data.begin() + 120}};
  for (split_of const& split : splits) {
    auto const all = run_moe<to_all>(split, data).rows;
    auto const few = run_moe<to_all>(split, part).rows;
    CHECK(std::memcmp(few.data(), all.data() + 50, few.size() * sizeof(float)) == 0);
  }
}
