// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/relayout.hpp>

#include <doctest/doctest.h>
#include <heddle/checkpoint/layout.hpp>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::box;
using heddle::dtype;

expert_sizes const sizes{2, 3, 4};
/// Two ranks hold merged experts, one each; a norm is on rank 1.
roster two_ranks() {
  roster all;
  all["e.gate_up_proj"] = {
      dtype::f32, {2, 6, 4}, {{0, box{{{{0, 1}}, {{0, 6}}, {{0, 4}}}}}, {1, box{{{{1, 1}}, {{0, 6}}, {{0, 4}}}}}}, 0};
  all["e.down_proj"] = {dtype::f32, {2, 4, 3}, {{0, box::all({2, 4, 3})}}, 0};
  all["norm"] = {dtype::bf16, {4}, {{1, box::all({4})}}, 0};
  std::size_t number = 6;
  for (char const* name : {"e.gate_up_proj", "e.down_proj", "norm"}) all[name].number = ++number;
  return all;
}

}  // namespace

TEST_CASE("relayout: tensors as they are, and a parameter in another layout") {
  roster const all = two_ranks();
  auto const plain = detail::gathered(all, {});
  CHECK(plain.size() == 3);
  CHECK(plain.at("norm").type == dtype::bf16);
  CHECK(plain.at("norm").holders.at(0).rank == 1);
  CHECK(plain.at("norm").holders.at(0).tensor == 9);
  CHECK(plain.at("e.gate_up_proj").holders.size() == 2);

  std::vector<relayout> const changes{{hugging_face_merged("e.", sizes).fc1, hugging_face_split("e.", sizes).fc1}};
  auto const changed = detail::gathered(all, changes);
  CHECK(changed.size() == 6);
  CHECK_FALSE(changed.contains("e.gate_up_proj"));
  auto const& up = changed.at("e.1.up_proj.weight");
  CHECK(up.whole.shape == heddle::shape_t{3, 4});
  REQUIRE(up.holders.size() == 2);
  CHECK(up.holders[1].rank == 1);
  CHECK(up.holders[1].tensor == 7);
  CHECK(up.holders[1].where->shape == heddle::shape_t{1, 6, 4});
  CHECK(up.holders[1].where->pieces.at(0).lanes[0].items == heddle::range{1, 1});
}

TEST_CASE("relayout: layouts that do not fit what the ranks hold are refused") {
  roster all = two_ranks();
  auto const kind = [&](relayout change) {
    return kind_from([&] { (void)detail::gathered(all, std::span{&change, 1}); });
  };
  auto const merged = hugging_face_merged("e.", sizes), split = hugging_face_split("e.", sizes);
  CHECK(kind({merged.fc1, split.fc1}) == "none");
  CHECK(kind({hugging_face_merged("x.", sizes).fc1, split.fc1}) == "shape");      // no such entry
  CHECK(kind({hugging_face_merged("e.", {2, 2, 4}).fc1, split.fc1}) == "shape");  // another shape
  CHECK(kind({merged.fc1, {whole_tensor("norm", {2, 2, 3, 4})}}) == "argument");  // a name twice
  all["e.other"] = {dtype::bf16, {2, 6, 4}, {{0, box::all({2, 6, 4})}}, 0};
  CHECK(kind({{merged.fc1[0], merged_fc1("e.other", sizes)}, split.fc1}) == "argument");  // two types
}
