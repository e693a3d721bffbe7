// SPDX-License-Identifier: Apache-2.0
// How the systems store expert weights. The parameters are FC1, indexed (expert, half, row, column) with gate or w as
// half 0 and up or v as half 1, and FC2, indexed (expert, row, column); a layout says which tensors hold which box.
#pragma once

#include <heddle/checkpoint/stored_tensor.hpp>
#include <heddle/style/shard.hpp>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// The sizes of a layer's experts. FC1 has `halves` x `ffn` rows of `hidden` columns, FC2 `hidden` rows of `ffn`; one
/// half means an activation without a gate. For biases, `hidden` of FC1 and `ffn` of FC2 are 1 column.
struct expert_sizes {
  index_t experts = 0;
  index_t ffn = 0;
  index_t hidden = 0;
  index_t halves = 2;
};

/// How a merged tensor runs: [out, in] or transposed, and the two halves of FC1 in turns of `block` rows each. 0: one
/// half behind the other; 1: row by row, as GPT-OSS does.
struct merged_form {
  weight_order order = weight_order::out_in;
  index_t block = 0;
};

/// The tensors of a layer's experts.
struct expert_layout {
  std::vector<stored_tensor> fc1;
  std::vector<stored_tensor> fc2;
};

namespace detail {

/// The pieces of FC1 for the experts `owned`, their halves in the axis `rows` of a tensor, columns along `columns`.
[[nodiscard]] inline std::vector<piece> fc1_pieces(expert_sizes const& sizes, range owned, std::size_t axes,
                                                   std::size_t rows, std::size_t columns, index_t block) {
  index_t const turn = sizes.halves == 1 || block == 0 ? sizes.ffn : block;
  if (turn < 0 || (turn > 0 && sizes.ffn % turn != 0)) {
    throw error(error_kind::shape,
                std::to_string(sizes.ffn) + " rows a half are no whole number of blocks of " + std::to_string(block),
                "choose a block that divides the ffn width, or 0 for one half behind the other");
  }
  // One row a turn is one piece with a step, not a piece for every row.
  index_t const size = turn == 1 ? sizes.ffn : turn;
  index_t const step = turn == 1 ? sizes.halves : 1;
  std::vector<piece> pieces;
  for (index_t half = 0; half < sizes.halves; ++half) {
    for (index_t row = 0; row < sizes.ffn; row += size) {
      piece next{{{owned, 0, 1}, {{half, 1}, rows, 0}, {{row, size}, rows, step}, {{0, sizes.hidden}, columns, 1}},
                 shape_t(axes, 0)};
      next.at[rows] = row * sizes.halves + half * turn;
      pieces.push_back(std::move(next));
    }
  }
  return pieces;
}

}  // namespace detail

/// FC1 of all experts in one tensor [experts, halves * ffn, hidden], or [experts, hidden, halves * ffn] transposed.
/// Throws `shape` where the block does not divide the ffn width.
[[nodiscard]] inline stored_tensor merged_fc1(std::string name, expert_sizes const& sizes, merged_form form = {}) {
  bool const turned = form.order == weight_order::in_out;
  index_t const rows = sizes.halves * sizes.ffn;
  return {std::move(name),
          turned ? shape_t{sizes.experts, sizes.hidden, rows} : shape_t{sizes.experts, rows, sizes.hidden},
          detail::fc1_pieces(sizes, {0, sizes.experts}, 3, turned ? 2 : 1, turned ? 1 : 2, form.block)};
}

/// FC2 of all experts in one tensor [experts, hidden, ffn], or [experts, ffn, hidden] transposed.
[[nodiscard]] inline stored_tensor merged_fc2(std::string name, expert_sizes const& sizes, merged_form form = {}) {
  stored_tensor result = whole_tensor(std::move(name), {sizes.experts, sizes.hidden, sizes.ffn});
  if (form.order == weight_order::in_out) {
    std::swap(result.shape[1], result.shape[2]);
    std::swap(result.pieces[0].lanes[1].on, result.pieces[0].lanes[2].on);
  }
  return result;
}

/// The bias of FC1, [experts, halves * ffn], as one column of FC1.
[[nodiscard]] inline stored_tensor merged_fc1_bias(std::string name, expert_sizes sizes, merged_form form = {}) {
  sizes.hidden = 1;
  return {std::move(name),
          {sizes.experts, sizes.halves * sizes.ffn},
          detail::fc1_pieces(sizes, {0, sizes.experts}, 2, 1, 1, form.block)};
}

/// FC1 with a tensor [ffn, hidden] for every expert and half, named `before`N`after[half]`.
[[nodiscard]] inline std::vector<stored_tensor> split_fc1(std::string const& before, expert_sizes const& sizes,
                                                          std::vector<std::string> const& after) {
  std::vector<stored_tensor> result;
  for (index_t e = 0; e < sizes.experts; ++e) {
    for (index_t half = 0; half < sizes.halves; ++half) {
      result.push_back(
          {before + std::to_string(e) + after.at(static_cast<std::size_t>(half)),
           {sizes.ffn, sizes.hidden},
           {{{{{e, 1}, 0, 0}, {{half, 1}, 0, 0}, {{0, sizes.ffn}, 0, 1}, {{0, sizes.hidden}, 1, 1}}, {0, 0}}}});
    }
  }
  return result;
}

/// FC1 with a tensor [halves * ffn, hidden] for every expert, named `before`N`after`.
[[nodiscard]] inline std::vector<stored_tensor> stacked_fc1(std::string const& before, expert_sizes const& sizes,
                                                            std::string const& after = {}, index_t block = 0) {
  std::vector<stored_tensor> result;
  for (index_t e = 0; e < sizes.experts; ++e) {
    result.push_back({before + std::to_string(e) + after,
                      {sizes.halves * sizes.ffn, sizes.hidden},
                      detail::fc1_pieces(sizes, {e, 1}, 2, 0, 1, block)});
  }
  return result;
}

/// FC2 with a tensor [hidden, ffn] for every expert, named `before`N`after`.
[[nodiscard]] inline std::vector<stored_tensor> split_fc2(std::string const& before, expert_sizes const& sizes,
                                                          std::string const& after = {}) {
  std::vector<stored_tensor> result;
  for (index_t e = 0; e < sizes.experts; ++e) {
    result.push_back({before + std::to_string(e) + after,
                      {sizes.hidden, sizes.ffn},
                      {{{{{e, 1}, 0, 0}, {{0, sizes.hidden}, 0, 1}, {{0, sizes.ffn}, 1, 1}}, {0, 0}}}});
  }
  return result;
}

/// Merged experts of Hugging Face, and with `in_out` those of Llama 4 and GPT-OSS: two tensors.
[[nodiscard]] inline expert_layout hugging_face_merged(std::string const& prefix, expert_sizes const& sizes,
                                                       merged_form form = {}) {
  return {{merged_fc1(prefix + "gate_up_proj", sizes, form)}, {merged_fc2(prefix + "down_proj", sizes, form)}};
}
/// Qwen3-MoE, OLMoE and DeepSeek-V3 as published: three tensors an expert.
[[nodiscard]] inline expert_layout hugging_face_split(std::string const& prefix, expert_sizes const& sizes) {
  return {split_fc1(prefix, sizes, {".gate_proj.weight", ".up_proj.weight"}),
          split_fc2(prefix, sizes, ".down_proj.weight")};
}
/// Mixtral as published: w1 is the gate, w3 the up and w2 the down projection.
[[nodiscard]] inline expert_layout mixtral_split(std::string const& prefix, expert_sizes const& sizes) {
  return {split_fc1(prefix, sizes, {".w1.weight", ".w3.weight"}), split_fc2(prefix, sizes, ".w2.weight")};
}
/// Megatron's grouped experts in memory: FC1 [w; v] and FC2, a tensor an expert.
[[nodiscard]] inline expert_layout megatron_grouped(std::string const& prefix, expert_sizes const& sizes) {
  return {stacked_fc1(prefix + "linear_fc1.weight", sizes), split_fc2(prefix + "linear_fc2.weight", sizes)};
}
/// Megatron's distributed checkpoint with a key for every expert, w and v apart: any ETP loads what another has saved.
[[nodiscard]] inline expert_layout megatron_split(std::string const& prefix, expert_sizes const& sizes) {
  return {split_fc1(prefix, sizes, {".linear_fc1.weight_w", ".linear_fc1.weight_v"}),
          split_fc2(prefix, sizes, ".linear_fc2.weight")};
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
