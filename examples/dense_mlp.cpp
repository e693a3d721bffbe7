// SPDX-License-Identifier: Apache-2.0
// A gated MLP cut over the ranks of tp: the layer is a type, its collectives and its cost are known to the compiler.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <heddle/heddle.hpp>
#include <heddle/host.hpp>
#include <heddle/plan/cost.hpp>
#include <tuple>
#include <vector>

using namespace heddle;

using my_plan =
    plan<rule<"layers.*.mlp.gate_up_proj", packed_colwise<tp>>, rule<"layers.*.mlp.down_proj", rowwise<tp>>>;
using up_style = style_of<my_plan, "layers.*.mlp.gate_up_proj">;
using down_style = style_of<my_plan, "layers.*.mlp.down_proj">;
using mlp = layer<up_style, gated<tp>, down_style>;

static_assert(describe<mlp::forward>() == "copy<tp> gemm add_bias swiglu gemm all_reduce<tp> add_bias");
static_assert(describe<mlp::backward>() == "bias_grad copy<tp> dgrad swiglu_grad bias_grad dgrad all_reduce<tp>");

constexpr index_t height = 3, width = 8, ffn_width = 5;
constexpr mesh<tp> two_ranks{2};
static_assert(cost_of<down_style>(two_ranks, 0, {.rows = height, .width = 3, .full_width = ffn_width, .out = width})
                  .bytes_sent<tp>() == 96);

// What one rank does: it owns its rows of gate and of up, and its columns of down.
std::vector<float> run_rank(host::thread_communicator& rank, std::vector<float> const& x,
                            std::vector<float> const& gate_up, std::vector<float> const& down) {
  mesh_groups<host::thread_communicator, tp> groups{rank, two_ranks};
  host::reference_gemm gemm;
  host::workspace scratch;
  host::execution execution{gemm, groups, scratch};
  std::vector<float> up_part, down_part;
  box const own_up = shard_weight<up_style>({2 * ffn_width, width}, two_ranks, rank.rank());
  box const own_down = shard_weight<down_style>({width, ffn_width}, two_ranks, rank.rank());
  for (range const rows_of_segment : own_up.axes[0]) {
    up_part.insert(up_part.end(), gate_up.begin() + rows_of_segment.begin * width,
                   gate_up.begin() + rows_of_segment.end() * width);
  }
  range const columns = own_down.axes[1][0];
  for (index_t o = 0; o < width; ++o)
    down_part.insert(down_part.end(), down.begin() + o * ffn_width + columns.begin,
                     down.begin() + o * ffn_width + columns.end());

  std::tuple const weights{
      linear<float>{.weight = {up_part.data(), extents<out_features, in_features>{2 * columns.size, width}},
                    .full_out = 2 * ffn_width,
                    .full_in = width},
      linear<float>{.weight = {down_part.data(), extents<out_features, in_features>{width, columns.size}},
                    .full_out = width,
                    .full_in = ffn_width}};
  auto const y = infer<mlp>(execution, weights, rows<float const>{x.data(), extents<tokens, hidden>{height, width}});
  return {y.data.data(), y.data.data() + y.data.count()};
}

int main() {
  auto const numbers = [](index_t count, float step) {
    std::vector<float> list(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = std::sin(step * static_cast<float>(i + 1));
    return list;
  };
  auto const x = numbers(height * width, 0.7F), gate_up = numbers(2 * ffn_width * width, 1.3F),
             down = numbers(width * ffn_width, 2.1F);
  std::vector<float> result;
  host::thread_world world{two_ranks.world()};
  host::run(world, [&](host::thread_communicator& rank) {
    std::vector<float> const y = run_rank(rank, x, gate_up, down);
    if (rank.rank() == 0) result = y;
  });

  float largest = 0;
  for (index_t t = 0; t < height; ++t) {
    for (index_t o = 0; o < width; ++o) {
      float expected = 0;
      for (index_t f = 0; f < ffn_width; ++f) {
        float gate = 0, up = 0;
        for (index_t i = 0; i < width; ++i) {
          gate += x[static_cast<std::size_t>(t * width + i)] * gate_up[static_cast<std::size_t>(f * width + i)];
          up += x[static_cast<std::size_t>(t * width + i)] *
                gate_up[static_cast<std::size_t>((ffn_width + f) * width + i)];
        }
        expected += gate / (1 + std::exp(-gate)) * up * down[static_cast<std::size_t>(o * ffn_width + f)];
      }
      largest = std::max(largest, std::abs(expected - result[static_cast<std::size_t>(t * width + o)]));
    }
  }
  std::printf("a gated MLP on %d ranks, largest difference to the plain one %.2g\n", two_ranks.world(),
              static_cast<double>(largest));
  return largest < 1e-5F ? 0 : 1;
}
