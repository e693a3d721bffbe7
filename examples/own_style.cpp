// SPDX-License-Identifier: Apache-2.0
// A parallel style of one's own, in one's own file: the library knows nothing of it, and its backward pass is derived.
#include <cstdio>
#include <heddle/heddle.hpp>
#include <heddle/host.hpp>
#include <vector>

using namespace heddle;

// -- the style: a column-parallel layer whose input lies cut over the hidden axis, as a rowwise layer in front would
// leave it if it did not sum over the group but scattered. The input is gathered, the output stays cut.
template <class Group>
struct colwise_from_parts {
  static constexpr fixed_string name = "colwise_from_parts";
  using group = Group;
  using weight = placement<on<Group, sharded<out_features>>>;
  using bias = weight;
  using forward = sequence<all_gather<Group, hidden>,
                           gemm<placement<on<Group, varying>>, placement<on<Group, sharded<hidden>>>, weight>>;
};

static_assert(describe<colwise_from_parts<tp>::forward>() == "all_gather<tp, hidden> gemm");
static_assert(describe<conjugate_t<colwise_from_parts<tp>::forward>>() == "dgrad reduce_scatter<tp, hidden>");

// -- and its use, on three ranks with sizes that do not divide
int main() {
  constexpr int ranks = 3;
  constexpr index_t height = 2, in = 4, out = 5;
  std::vector<float> x(height * in), w(out * in), y(height * out);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i % 7) - 3;

  mesh<tp> const grid{ranks};
  host::thread_world world{ranks};
  host::run(world, [&](host::thread_communicator& rank) {
    mesh_groups<host::thread_communicator, tp> groups{rank, grid};
    host::reference_gemm gemm;
    host::workspace scratch;
    host::execution execution{gemm, groups, scratch};

    // This rank's columns of x and rows of w.
    range const columns = ceil_chunk::piece(in, ranks, rank.rank());
    std::vector<float> part;
    for (index_t t = 0; t < height; ++t)
      part.insert(part.end(), x.begin() + t * in + columns.begin, x.begin() + t * in + columns.end());
    box const owned = shard_weight<colwise_from_parts<tp>>({out, in}, grid, rank.rank());
    range const rows_of_w = owned.axes[0][0];
    linear<float> const layer_weight{
        .weight = {w.data() + rows_of_w.begin * in, extents<out_features, in_features>{rows_of_w.size, in}},
        .full_out = out,
        .full_in = in};

    activation<float const> const mine{{part.data(), extents<tokens, hidden>{height, columns.size}}, in};
    auto const result = infer<colwise_from_parts<tp>>(execution, layer_weight, mine);
    for (index_t t = 0; t < height; ++t) {
      for (index_t o = 0; o < rows_of_w.size; ++o)
        y[static_cast<std::size_t>(t * out + rows_of_w.begin + o)] = result.data(t, o);
    }
  });

  // The numbers are small and whole, so the sharded result is exactly the plain one.
  for (index_t t = 0; t < height; ++t) {
    for (index_t o = 0; o < out; ++o) {
      float expected = 0;
      for (index_t i = 0; i < in; ++i)
        expected += x[static_cast<std::size_t>(t * in + i)] * w[static_cast<std::size_t>(o * in + i)];
      if (y[static_cast<std::size_t>(t * out + o)] != expected) return std::puts("the sharded layer is wrong"), 1;
    }
  }
  std::puts("colwise_from_parts on 3 ranks gives exactly the plain result");
}
