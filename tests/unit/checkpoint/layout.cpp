// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/layout.hpp>

#include <doctest/doctest.h>
#include <heddle/checkpoint/reshard.hpp>

#include "expert_numbers.hpp"
#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::shape_t;
using tensors = std::vector<stored_tensor>;
using numbers = std::vector<std::vector<float>>;

/// What the tensors `to` hold, taken from the tensors `from`.
numbers converted(tensors const& from, numbers const& values, tensors const& to) {
  std::vector<holding> has, wants;
  numbers result;
  for (std::size_t i = 0; i < from.size(); ++i) has.push_back({0, i, &from[i]});
  for (std::size_t i = 0; i < to.size(); ++i) {
    wants.push_back({0, i, &to[i]});
    result.emplace_back(static_cast<std::size_t>(to[i].count()), 0.0F);
  }
  for (copy_step const& step : reshard(has, wants)) {
    copy_region(step.move, values[step.from_tensor].data(), result[step.to_tensor].data());
  }
  return result;
}

}  // namespace

TEST_CASE("layout: every layout becomes every other") {
  for (expert_sizes const s : {expert_sizes{3, 6, 5}, expert_sizes{1, 3, 1}, expert_sizes{2, 6, 4, 1},
                               expert_sizes{0, 3, 2}, expert_sizes{2, 0, 3}}) {
    auto const all = all_layouts(s, 3);
    for (filled_layout const& from : all) {
      for (filled_layout const& to : all) {
        CAPTURE(from.layout.fc2.size());
        CAPTURE(to.layout.fc2.size());
        CHECK(converted(from.layout.fc1, from.fc1, to.layout.fc1) == to.fc1);
        CHECK(converted(from.layout.fc2, from.fc2, to.layout.fc2) == to.fc2);
      }
    }
  }
}

TEST_CASE("layout: names and shapes") {
  expert_sizes const s{2, 6, 5};
  auto const names = [](tensors const& all) {
    std::vector<std::string> result;
    for (stored_tensor const& each : all) result.push_back(each.name);
    return result;
  };
  using list = std::vector<std::string>;
  CHECK(names(hugging_face_merged("e.", s).fc1) == list{"e.gate_up_proj"});
  CHECK(hugging_face_merged("e.", s).fc1[0].shape == shape_t{2, 12, 5});
  CHECK(hugging_face_merged("e.", s).fc2[0].shape == shape_t{2, 5, 6});
  CHECK(hugging_face_merged("e.", s, {heddle::weight_order::in_out, 1}).fc1[0].shape == shape_t{2, 5, 12});
  CHECK(hugging_face_merged("e.", s, {heddle::weight_order::in_out, 1}).fc2[0].shape == shape_t{2, 6, 5});
  CHECK(names(hugging_face_split("e.", s).fc1) ==
        list{"e.0.gate_proj.weight", "e.0.up_proj.weight", "e.1.gate_proj.weight", "e.1.up_proj.weight"});
  CHECK(names(mixtral_split("e.", s).fc1)[1] == "e.0.w3.weight");  // up
  CHECK(names(mixtral_split("e.", s).fc2) == list{"e.0.w2.weight", "e.1.w2.weight"});
  CHECK(names(megatron_grouped("e.", s).fc1) == list{"e.linear_fc1.weight0", "e.linear_fc1.weight1"});
  CHECK(megatron_grouped("e.", s).fc1[1].shape == shape_t{12, 5});
  CHECK(names(megatron_split("e.", s).fc1)[3] == "e.1.linear_fc1.weight_v");
  CHECK(megatron_split("e.", s).fc2[1].shape == shape_t{5, 6});
  CHECK(kind_from([&] { (void)merged_fc1("e", s, {.block = 4}); }) == "shape");
  CHECK(kind_from([&] { (void)merged_fc1("e", s, {.block = -1}); }) == "shape");
}

TEST_CASE("layout: biases interleave as their weights do") {
  expert_sizes const s{2, 6, 5};
  for (heddle::index_t block : {0, 1, 2, 3}) {
    stored_tensor const from = merged_fc1_bias("b", s), to = merged_fc1_bias("b", s, {.block = block});
    CHECK(to.shape == shape_t{2, 12});
    expert_sizes const column{2, 6, 1};
    CHECK(converted({from}, {merged_fc1_values(column, {})}, {to})[0] == merged_fc1_values(column, {.block = block}));
  }
}

TEST_CASE("layout: Megatron's w and v of one rank are its two fragments of FC1") {
  // Rank etp of 2 holds [w; v] of an expert: rows from fragments etp and 2 + etp of the whole.
  expert_sizes const s{1, 6, 2};
  stored_tensor const whole = megatron_grouped("e.", s).fc1[0];
  numbers const all{fc1_values(s, 0, 0, 2)};
  for (int etp : {0, 1}) {
    heddle::range const w = heddle::glu_fragment(12, 2, etp, 0), v = heddle::glu_fragment(12, 2, etp, 1);
    auto const local = converted({whole}, all, {part_of(whole, heddle::box{{{w, v}, {{0, 2}}}})})[0];
    for (heddle::index_t i = 0; i < 12; ++i) {
      heddle::index_t const row = i / 2;
      CHECK(local[static_cast<std::size_t>(i)] == fc1_number(s, 0, row / 3, 3 * etp + row % 3, i % 2));
    }
  }
}
