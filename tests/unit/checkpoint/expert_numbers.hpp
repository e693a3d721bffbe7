// SPDX-License-Identifier: Apache-2.0
// What the tests of layouts share: every element of an expert's parameters is a number of its own, and each form of
// storage is filled by plain loops from its definition.
#pragma once

#include <heddle/checkpoint/layout.hpp>
#include <vector>

namespace checkpoint_test {

using heddle::index_t;
using heddle::checkpoint::expert_sizes;
using heddle::checkpoint::merged_form;

/// Element (expert, half, row, column) of FC1, and (expert, row, column) of FC2; distinct, and never 0.
inline float fc1_number(expert_sizes const& s, index_t e, index_t half, index_t row, index_t column) {
  return static_cast<float>(1 + ((e * s.halves + half) * s.ffn + row) * s.hidden + column);
}
inline float fc2_number(expert_sizes const& s, index_t e, index_t row, index_t column) {
  return -static_cast<float>(1 + (e * s.hidden + row) * s.ffn + column);
}

/// Stored row `r` of a tensor with both halves: which half, and which row of it.
inline std::pair<index_t, index_t> row_of(expert_sizes const& s, index_t block, index_t r) {
  index_t const turn = block == 0 ? s.ffn : block;
  index_t const group = r / (s.halves * turn), inside = r % (s.halves * turn);
  return {inside / turn, group * turn + inside % turn};
}

inline std::vector<float> merged_fc1_values(expert_sizes const& s, merged_form form) {
  std::vector<float> values;
  bool const turned = form.order == heddle::weight_order::in_out;
  index_t const rows = s.halves * s.ffn;
  for (index_t e = 0; e < s.experts; ++e) {
    for (index_t i = 0; i < rows * s.hidden; ++i) {
      index_t const row = turned ? i % rows : i / s.hidden, column = turned ? i / rows : i % s.hidden;
      auto const [half, inside] = row_of(s, form.block, row);
      values.push_back(fc1_number(s, e, half, inside, column));
    }
  }
  return values;
}
inline std::vector<float> merged_fc2_values(expert_sizes const& s, merged_form form) {
  std::vector<float> values;
  bool const turned = form.order == heddle::weight_order::in_out;
  for (index_t e = 0; e < s.experts; ++e) {
    for (index_t i = 0; i < s.ffn * s.hidden; ++i) {
      values.push_back(turned ? fc2_number(s, e, i % s.hidden, i / s.hidden) : fc2_number(s, e, i / s.ffn, i % s.ffn));
    }
  }
  return values;
}
/// One expert's half [ffn, hidden], or all its halves one behind the other.
inline std::vector<float> fc1_values(expert_sizes const& s, index_t e, index_t first, index_t halves) {
  std::vector<float> values;
  for (index_t half = first; half < first + halves; ++half) {
    for (index_t i = 0; i < s.ffn * s.hidden; ++i) values.push_back(fc1_number(s, e, half, i / s.hidden, i % s.hidden));
  }
  return values;
}
inline std::vector<float> fc2_values(expert_sizes const& s, index_t e) {
  std::vector<float> values;
  for (index_t i = 0; i < s.ffn * s.hidden; ++i) values.push_back(fc2_number(s, e, i / s.ffn, i % s.ffn));
  return values;
}

/// A layout, its tensors filled: `values[i]` belongs to tensor i of fc1 followed by fc2.
struct filled_layout {
  heddle::checkpoint::expert_layout layout;
  std::vector<std::vector<float>> fc1, fc2;
};
inline filled_layout filled_merged(expert_sizes const& s, merged_form form) {
  return {heddle::checkpoint::hugging_face_merged("m.", s, form),
          {merged_fc1_values(s, form)},
          {merged_fc2_values(s, form)}};
}
/// `halves_apart`: a tensor for each half, else one for each expert.
inline filled_layout filled_split(expert_sizes const& s, heddle::checkpoint::expert_layout layout, bool halves_apart) {
  filled_layout result{std::move(layout), {}, {}};
  for (index_t e = 0; e < s.experts; ++e) {
    if (!halves_apart) result.fc1.push_back(fc1_values(s, e, 0, s.halves));
    for (index_t half = 0; halves_apart && half < s.halves; ++half) result.fc1.push_back(fc1_values(s, e, half, 1));
    result.fc2.push_back(fc2_values(s, e));
  }
  return result;
}
/// Every layout of the library.
inline std::vector<filled_layout> all_layouts(expert_sizes const& s, index_t block) {
  using namespace heddle::checkpoint;
  using heddle::weight_order;
  std::vector<filled_layout> result;
  for (index_t each : {index_t{0}, index_t{1}, block}) {
    result.push_back(filled_merged(s, {weight_order::out_in, each}));
    result.push_back(filled_merged(s, {weight_order::in_out, each}));
  }
  result.push_back(filled_split(s, hugging_face_split("q.", s), true));
  result.push_back(filled_split(s, mixtral_split("x.", s), true));
  result.push_back(filled_split(s, megatron_split("w.", s), true));
  result.push_back(filled_split(s, megatron_grouped("g.", s), false));
  return result;
}

}  // namespace checkpoint_test
