// SPDX-License-Identifier: Apache-2.0
// Gated linear units and their gradients: an activation of the gate columns and the up columns of packed rows. How the
// two are packed is a policy.
#pragma once

#include <heddle/kernel/activation.hpp>
#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

// A layout packs F gate and F up columns into rows of 2F, in blocks: `block(F)` gate columns with the up columns that
// belong to them. The last block may be shorter. Within a block of n pairs, pair i has its gate at i * step and its up
// value `up(n)` further on.

/// All gate columns, then all up columns: Hugging Face's gate_up_proj, Megatron.
struct halves {
  static constexpr index_t step = 1;
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t block(index_t width) { return width; }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t up(index_t count) { return count; }
};

/// Gate in the even columns, up in the odd ones: GPT-OSS.
struct interleaved {
  static constexpr index_t step = 2;
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t block(index_t width) { return width; }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t up(index_t) { return 1; }
};

/// `Block` gate columns, then their `Block` up columns, and so on; F need not be a multiple.
template <index_t Block>
struct block_interleaved {
  static_assert(Block > 0, "[heddle.layout.block] a block has at least one column. Fix: use a `Block` above zero.");
  static constexpr index_t step = 1;
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t block(index_t) { return Block; }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t up(index_t count) { return count; }
};

/// y = Activation(gate, up), or Activation(gate) * up where it is a plain one. gate_up [T, 2F] in `Layout`, y [T, F].
template <class Activation, real T, class Memory = host_memory, class Layout = halves>
struct glu {
  rows<T const, Memory> gate_up;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    using gate_type = as_gated_t<Activation>;
    index_t const width = y.row_size();
    index_t const block = Layout::block(width);
    for (index_t begin = 0; begin < width; begin += block) {
      index_t const count = width - begin < block ? width - begin : block;
      T const* const gate = gate_up.row(row) + 2 * begin;
      T const* const up = gate + Layout::up(count);
      fill_row(team, count, y.row(row) + begin, [gate, up](index_t i) {
        return gate_type::apply(widen(gate[i * Layout::step]), widen(up[i * Layout::step]));
      });
    }
  }
};

/// y = silu(gate) * up.
template <real T, class Memory = host_memory>
using swiglu = glu<silu, T, Memory>;

/// The gradients of both inputs from that of y: dgate = dy * up * act'(gate), dup = dy * act(gate), and what the
/// activation's own clamps make of it. gate_up, the input of `glu`, and dgate_up are [T, 2F] in `Layout` and may be the
/// same memory; dy [T, F].
template <class Activation, real T, class Memory = host_memory, class Layout = halves>
struct glu_grad {
  rows<T const, Memory> gate_up;
  rows<T const, Memory> dy;
  rows<T, Memory> dgate_up;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    using gate_type = as_gated_t<Activation>;
    using sum_type = accumulator_t<T>;
    index_t const width = dy.row_size();
    index_t const block = Layout::block(width);
    for (index_t begin = 0; begin < width; begin += block) {
      index_t const count = width - begin < block ? width - begin : block;
      index_t const up = Layout::up(count);
      T const* const in = gate_up.row(row) + 2 * begin;
      T const* const given = dy.row(row) + begin;
      T* const out = dgate_up.row(row) + 2 * begin;
      auto const value = [in, given, up](index_t i) {
        return gate_type::gradient(widen(in[i * Layout::step]), widen(in[up + i * Layout::step]), widen(given[i]));
      };
      // As `fill_row`, with two results. Reading, computing and storing apart, columns that are not neighbours cost
      // their loads alone and the gradient still becomes vector instructions.
      index_t whole = 0;
      if constexpr (std::is_same_v<Team, serial_team>) {
        whole = count / tile_width * tile_width;
        for (index_t i = 0; i < whole; i += tile_width) {
          sum_type gates[tile_width];
          sum_type ups[tile_width];
          for (index_t lane = 0; lane < tile_width; ++lane) {
            gates[lane] = widen(in[(i + lane) * Layout::step]);
            ups[lane] = widen(in[up + (i + lane) * Layout::step]);
          }
          for (index_t lane = 0; lane < tile_width; ++lane) {
            auto const pair = gate_type::gradient(gates[lane], ups[lane], widen(given[i + lane]));
            gates[lane] = pair.gate;
            ups[lane] = pair.up;
          }
          for (index_t lane = 0; lane < tile_width; ++lane) {
            out[(i + lane) * Layout::step] = static_cast<T>(gates[lane]);
            out[up + (i + lane) * Layout::step] = static_cast<T>(ups[lane]);
          }
        }
      }
      for (index_t i = whole + team.rank(); i < count; i += team.size()) {
        auto const pair = value(i);
        out[i * Layout::step] = static_cast<T>(pair.gate);
        out[up + i * Layout::step] = static_cast<T>(pair.up);
      }
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
