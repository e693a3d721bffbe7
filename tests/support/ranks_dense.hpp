// SPDX-License-Identifier: Apache-2.0
// Dense layers over tensor ranks, whole and with their tokens in parts: the same step on threads of the host and on
// ranks of a device.
#pragma once

#include "ranks_moe.hpp"

namespace ranks_dense {

using namespace heddle;
using ranks_moe::drawn;

template <class Communicator>
using tensor_groups = mesh_groups<Communicator, tp>;

using dense_whole = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
/// Every collective of dense layers in one.
using dense_in_parts =
    layer<sequence_parallel<tp>, packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>,
          rowwise<tp, sharded<tokens>>, colwise_gather_output<tp, sharded<tokens>>, rowwise_split_input<tp>>;

struct sizes {
  int ranks;
  index_t height, width, inner, out, last;

  [[nodiscard]] mesh<tp> on() const { return mesh<tp>{ranks}; }
};

/// Rows and columns of a matrix that has `width` columns.
template <class T>
std::vector<T> piece_of(std::uint32_t seed, range rows, range columns, index_t width) {
  std::vector<T> values;
  for (index_t o = rows.begin; o < rows.begin + rows.size; ++o) {
    for (index_t i = columns.begin; i < columns.begin + columns.size; ++i)
      values.push_back(static_cast<T>(drawn(seed, o * width + i)));
  }
  return values;
}
template <class T>
std::vector<T> joined(std::vector<T> first, std::vector<T> const& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// y, dx and the gradients of the parameters, summed over the ranks that share them.
template <class T>
using outcome = std::vector<std::vector<T>>;

/// See ranks_moe::step.
template <class Layer, class T, class Execution, class Put, class Get>
outcome<T> step(Execution& on, sizes const& of, int rank, Put const& put, Get const& get) {
  using memory = typename Execution::memory;
  constexpr bool parts = std::is_same_v<Layer, dense_in_parts>;
  auto const cut = [&](index_t size) { return ceil_chunk::piece(size, of.ranks, rank); };
  auto const all = [](index_t size) { return range{0, size}; };
  range const mine = parts ? cut(of.height) : all(of.height), inner = cut(of.inner), out = cut(of.out);
  auto const norm = piece_of<T>(1, all(1), all(of.width), of.width);
  auto const up =
      joined(piece_of<T>(2, inner, all(of.width), of.width), piece_of<T>(3, inner, all(of.width), of.width));
  auto const down = piece_of<T>(4, all(of.width), inner, of.inner);
  auto const wide = piece_of<T>(5, out, all(of.width), of.width);
  auto const narrow = piece_of<T>(6, all(of.last), out, of.out);
  index_t const width_out = parts ? of.last : of.width;
  auto const x = piece_of<T>(7, mine, all(of.width), of.width);
  auto const dy = piece_of<T>(8, all(of.height), all(width_out), width_out);
  auto const matrix_of = [&](auto const& values, index_t height, index_t width, index_t full_out, index_t full_in) {
    return linear<T, memory>{.weight = {put(values), {height, width}}, .full_out = full_out, .full_in = full_in};
  };
  auto const first = matrix_of(up, 2 * inner.size, of.width, 2 * of.inner, of.width);
  auto const second = matrix_of(down, of.width, inner.size, of.width, of.inner);
  auto const weights = [&] {
    if constexpr (parts) {
      return std::tuple{norm_weight<T, memory>{.weight = {put(norm), extents<hidden>{of.width}}}, first, second,
                        matrix_of(wide, out.size, of.width, of.out, of.width),
                        matrix_of(narrow, of.last, out.size, of.last, of.out)};
    } else {
      return std::tuple{first, second};
    }
  }();
  rows<T const, memory> const there{put(x), extents<tokens, hidden>{mine.size, of.width}};
  rows<T, memory> const back{put(dy), extents<tokens, hidden>{of.height, width_out}};
  auto const [y, saved] = forward<Layer>(on, weights, there);
  auto const [dx, gradients] = backward<Layer>(on, weights, saved, back);
  reduce_gradients<sum, Layer>(on, gradients);
  outcome<T> found{get(y.data), get(dx.data)};
  std::apply([&](auto const&... each) { (found.push_back(get(each.weight)), ...); }, gradients);
  return found;
}

template <class Layer, class T, class Gemm>
std::vector<outcome<T>> on_threads(sizes const& of) {
  std::vector<outcome<T>> found(static_cast<std::size_t>(of.ranks));
  host::thread_world world{of.ranks};
  host::run(world, [&](host::thread_communicator& rank) {
    tensor_groups<host::thread_communicator> groups{rank, of.on()};
    Gemm gemm;
    host::workspace scratch;
    host::execution on{gemm, groups, scratch};
    auto const put = [](std::vector<T> const& values) { return const_cast<T*>(values.data()); };
    auto const get = [](auto const& view) { return std::vector<T>(view.data(), view.data() + view.count()); };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, T>(on, of, rank.rank(), put, get);
  });
  return found;
}

/// Uneven, without tokens, and narrower than there are ranks.
template <class Check>
void each_size(Check const& check) {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (sizes const& of : {sizes{ranks, 13, 16, 10, 11, 5}, {ranks, 0, 8, 9, 6, 4}, {ranks, 3, 8, 2, 3, 1}}) check(of);
  }
}

}  // namespace ranks_dense
