// SPDX-License-Identifier: Apache-2.0
// Grouped products on the tensor cores, of rows by the weights of their groups: no group has to be padded or aligned,
// and the host knows no size of any. Sums run in f32; floats are multiplied as floats.
#pragma once

#include <heddle/cuda/gpu_block.cuh>
#include <heddle/cuda/grouped_checks.hpp>
#include <heddle/cuda/grouped_rows.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Where the rows of each group begin, and behind them where the last group ends: [groups + 1], ascending.
using group_begins = per_row<index_t const, device_memory>;
/// Which row of the input a row of a product is; -1 is a row of zeros. Empty: its own.
using row_source = per_row<std::int32_t const, device_memory>;

/// A GEMM whose operands are `T` can be launched.
template <class T>
concept tensor_element = std::is_same_v<T, bf16> || std::is_same_v<T, f16> || std::is_same_v<T, float>;

/// store(sums) for every row of a grouped product of `rows` rows at most: grouped_rows.hpp says of what. `w` is
/// [groups, columns, depth] or [groups, depth, columns], see `lines`.
template <lines Weights, tensor_element T, class Store>
void launch_grouped_rows(T const* x, row_source source, T const* w, group_begins begins, gemm_shape const& shape,
                         Store const& store, queue const& on) {
  with_tile<T>(tile_for(shape, on.processors), [&]<class Named>(Named) {
    grouped_rows<Named, T, Weights, Store> const kernel{.x = x,
                                                        .source = source.data(),
                                                        .w = w,
                                                        .begins = begins.data(),
                                                        .groups = shape.groups,
                                                        .columns = shape.columns,
                                                        .depth = shape.depth,
                                                        .store = store};
    launch_blocks(kernel, most_tiles(shape, Named::tile), shape.groups, on);
  });
}

/// x [R, I] sorted by group, w [E, O, I], y [R, O]: y = x w^T, rounded once. Rows behind the last group stay as they
/// are. Throws `shape` where sizes do not fit.
template <tensor_element T, class Y>
void multiply_grouped(rows<T const, device_memory> x, group_begins begins, matrices<T const, device_memory> w,
                      rows<Y, device_memory> y, queue const& on) {
  index_t const groups = w.shape()[0], out = w.shape()[1], in = w.shape()[2], height = y.shape()[0];
  check_grouped("multiply_grouped", {height, y.shape()[1], x.shape()[0], x.shape()[1], groups, out, in, begins.count()},
                false, on.rank);
  launch_grouped_rows<lines::along_depth>(x.data(), {}, w.data(), begins,
                                          {.rows = height, .columns = out, .depth = in, .groups = groups},
                                          store_rows<Y>{y.data(), out}, on);
}

/// x [R, O] sorted by group, w [E, O, I], y [R, I]: y = x w, the gradient of an input; forward where weights are stored
/// [E, in, out]. Throws `shape` where sizes do not fit.
template <tensor_element T, class Y>
void multiply_transposed_grouped(rows<T const, device_memory> x, group_begins begins,
                                 matrices<T const, device_memory> w, rows<Y, device_memory> y, queue const& on) {
  index_t const groups = w.shape()[0], out = w.shape()[1], in = w.shape()[2], height = y.shape()[0];
  check_grouped("multiply_transposed_grouped",
                {x.shape()[0], x.shape()[1], height, y.shape()[1], groups, out, in, begins.count()}, false, on.rank);
  launch_grouped_rows<lines::across_depth>(x.data(), {}, w.data(), begins,
                                           {.rows = height, .columns = in, .depth = out, .groups = groups},
                                           store_rows<Y>{y.data(), in}, on);
}

/// The first half of an expert in one launch: tokens x [T, I] are gathered by `source` [R], w [E, 2F, I] has gate and
/// up rows in turn, and y [R, F] = Activation(gate, up). `kept` [R, 2F] receives gate and up where it is not empty.
/// Throws `shape` where sizes do not fit.
template <class Activation, tensor_element T>
void multiply_glu_grouped(rows<T const, device_memory> x, row_source source, group_begins begins,
                          matrices<T const, device_memory> w, rows<T, device_memory> kept, rows<T, device_memory> y,
                          queue const& on) {
  constexpr char const* call = "multiply_glu_grouped";
  index_t const groups = w.shape()[0], out = w.shape()[1], in = w.shape()[2], height = y.shape()[0];
  bool const gathers = source.data() != nullptr;
  if (gathers) check_source(call, source.count(), height, on.rank);
  grouped_sizes const sizes{height, 2 * y.shape()[1], x.shape()[0], x.shape()[1], groups, out, in, begins.count()};
  check_grouped(call, sizes, gathers, on.rank);
  if (kept.data() != nullptr) {
    grouped_sizes of_kept = sizes;
    of_kept.narrow_rows = height;
    of_kept.wide_rows = kept.shape()[0];
    of_kept.wide = kept.shape()[1];
    check_grouped(call, of_kept, false, on.rank);
  }
  launch_grouped_rows<lines::along_depth>(x.data(), source, w.data(), begins,
                                          {.rows = height, .columns = out, .depth = in, .groups = groups},
                                          store_glu<Activation, T>{y.data(), kept.data(), out}, on);
}

/// The second half: x [R, I] sorted by group, w [E, O, I], and row r goes to row to_row[r] of y [S, O], times scale[r]:
/// a place of its own for each, where `unpermute` adds the slots of a token in their order. Rows of y that no row goes
/// to stay as they are; to_row -1 goes nowhere; an empty `scale` scales nothing. Throws `shape` where sizes do not fit.
template <tensor_element T, class Y, class Scale>
void multiply_scattered_grouped(rows<T const, device_memory> x, group_begins begins, matrices<T const, device_memory> w,
                                row_source to_row, per_row<Scale const, device_memory> scale, rows<Y, device_memory> y,
                                queue const& on) {
  constexpr char const* call = "multiply_scattered_grouped";
  index_t const groups = w.shape()[0], out = w.shape()[1], in = w.shape()[2], height = x.shape()[0];
  check_source(call, to_row.count(), height, on.rank);
  if (scale.data() != nullptr) check_source(call, scale.count(), height, on.rank);
  check_grouped(call, {y.shape()[0], y.shape()[1], height, x.shape()[1], groups, out, in, begins.count()}, true,
                on.rank);
  launch_grouped_rows<lines::along_depth>(x.data(), {}, w.data(), begins,
                                          {.rows = height, .columns = out, .depth = in, .groups = groups},
                                          store_scattered<Y, Scale>{y.data(), to_row.data(), scale.data(), out}, on);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
