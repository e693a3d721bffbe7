// SPDX-License-Identifier: Apache-2.0
// The experts that are compiled: sixteen activations in their layouts, each in four members. Any two of place of the
// weight, options and mode meet in every way with each third; each of them meets every activation.
#pragma once

#include "oracle_settings.hpp"

#include <heddle/compute/expert_gemm.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/expert/parts.hpp>

namespace train {

using heddle::index_t;

enum class packing { none, halves, interleaved, blocks_of_2, blocks_of_3 };
enum class mode { grouped, sequential, aligned_16, aligned_3 };

struct activation_of {
  oracle::activation_kind kind;
  packing packed;
};
inline constexpr activation_of activations[] = {
    {oracle::activation_kind::swiglu, packing::halves},
    {oracle::activation_kind::swiglu, packing::interleaved},
    {oracle::activation_kind::swiglu, packing::blocks_of_2},
    {oracle::activation_kind::swiglu, packing::blocks_of_3},
    {oracle::activation_kind::geglu, packing::halves},
    {oracle::activation_kind::geglu, packing::interleaved},
    {oracle::activation_kind::geglu, packing::blocks_of_2},
    {oracle::activation_kind::quick_geglu, packing::halves},
    {oracle::activation_kind::quick_geglu, packing::interleaved},
    {oracle::activation_kind::quick_geglu, packing::blocks_of_3},
    {oracle::activation_kind::gpt_oss, packing::halves},
    {oracle::activation_kind::gpt_oss, packing::interleaved},
    {oracle::activation_kind::gpt_oss, packing::blocks_of_2},
    {oracle::activation_kind::squared_relu, packing::none},
    {oracle::activation_kind::relu, packing::none},
    {oracle::activation_kind::gelu, packing::none},
};
inline constexpr int families = 16;
inline constexpr int experts_compiled = 4 * families;

struct expert_member {
  int family;
  heddle::weight_at at;
  heddle::expert_options has;
  train::mode mode;
  bool transposed;
};
/// Member `number` of `experts_compiled`.
constexpr expert_member expert_number(int number) {
  int const family = number / 4;
  int const turn = number % 4;
  int const options = (turn + family) % 4;
  bool const transposed = ((turn ^ (turn >> 1) ^ family ^ (family >> 2)) & 1) != 0;
  return {family,
          static_cast<heddle::weight_at>(turn),
          {(options & 1) != 0, (options & 2) != 0},
          static_cast<mode>((turn + family / 4) % 4),
          transposed};
}
/// What the shared expert of a family has: every other one a gate.
constexpr bool shared_is_gated(int family) { return (family ^ (family >> 1)) % 2 == 0; }

/// Row r of a matrix of 2F rows, F = `width`, is this row of the same matrix in halves; rows without a gate stay.
constexpr index_t row_in_halves(packing packed, index_t r, index_t width) {
  index_t block = 1;
  if (packed == packing::none || packed == packing::halves) return r;
  if (packed == packing::blocks_of_2) block = 2;
  if (packed == packing::blocks_of_3) block = 3;
  index_t const f = r / (2 * block) * block + r % block;
  return r % (2 * block) < block ? f : width + f;
}
/// F is a multiple of this.
constexpr index_t block_of(packing packed) {
  return packed == packing::blocks_of_2 ? 2 : packed == packing::blocks_of_3 ? 3 : 1;
}

}  // namespace train
