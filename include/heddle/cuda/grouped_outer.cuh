// SPDX-License-Identifier: Apache-2.0
// The gradient of grouped weights on the tensor cores: each element is one sum over the rows of its group, in their
// order, so its bits are the same every time.
#pragma once

#include <heddle/cuda/grouped_gemm.cuh>
#include <heddle/cuda/grouped_outer.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// dy [R, O] and x [R, I] sorted by group, dw [E, O, I]: dw += dy^T x for each group; what belongs to a group without
/// rows stays. With `source` [R], x is [T, I] and row r of the product is row source[r] of it. Throws `shape` where
/// sizes do not fit.
template <tensor_element T, class Dw>
void accumulate_outer_grouped(rows<T const, device_memory> dy, group_begins begins, rows<T const, device_memory> x,
                              matrices<Dw, device_memory> dw, queue const& on, row_source source = {}) {
  constexpr char const* call = "accumulate_outer_grouped";
  index_t const groups = dw.shape()[0], out = dw.shape()[1], in = dw.shape()[2], height = dy.shape()[0];
  bool const gathers = source.data() != nullptr;
  if (gathers) check_source(call, source.count(), height, on.rank);
  check_grouped(call, {height, dy.shape()[1], x.shape()[0], x.shape()[1], groups, out, in, begins.count()}, gathers,
                on.rank);
  auto const start = [&]<class Named>(Named) {
    grouped_outer<Named, T, store_outer<Dw>> const kernel{.dy = dy.data(),
                                                          .x = x.data(),
                                                          .source = source.data(),
                                                          .begins = begins.data(),
                                                          .groups = groups,
                                                          .out = out,
                                                          .in = in,
                                                          .store = {dw.data(), out, in, true}};
    launch_blocks(kernel, groups * pieces(out, Named::tile.rows) * pieces(in, Named::tile.columns), 0, on);
  };
  // Rows are what is summed over here: the size of the weights alone says which tile.
  if (out <= some_rows::tile.rows) start(some_rows{});
  else start(largest_tile<T>{});
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
