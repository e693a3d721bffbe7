// SPDX-License-Identifier: Apache-2.0
// What it costs to share parameters out is what the bill says: dense styles, experts and routers, with biases and
// without, forward and backward.
#include "../support/price_trial.hpp"

#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;
using namespace support;

namespace {

/// One linear style of [out, in] on ranks that bring equally many tokens.
template <class Style, class T>
void check_linear(mesh<tp, dp> const& grid, index_t out, index_t in, bool enters_cut, bool biases) {
  CAPTURE(grid.size<tp>());
  CAPTURE(grid.size<dp>());
  on_ranks<tp, dp>(grid, 1, [&](auto& tools) {
    auto const own = shard_weight<Style>(shape_t{out, in}, grid, tools.rank).shape();
    auto const bias = shard_bias<Style>(shape_t{out}, grid, tools.rank).shape();
    index_t const width =
        enters_cut ? ceil_chunk::piece(in, grid.size<tp>(), grid.coordinate<tp>(tools.rank)).size : in;
    std::vector<T> const numbers(static_cast<std::size_t>(out * in + 60), T(0.25F));
    linear<T> weights{.weight = {numbers.data(), {own[0], own[1]}}, .full_out = out, .full_in = in};
    if (biases) weights.bias = {numbers.data(), extents<hidden>{bias[0]}};
    auto const sent = [&] {
      return std::pair{tools.groups.template get<tp>().bytes_sent(), tools.groups.template get<dp>().bytes_sent()};
    };
    layer_shape const shape{.rows = 3,
                            .width = width,
                            .full_width = in,
                            .out = out,
                            .element_size = static_cast<index_t>(sizeof(T)),
                            .biases = biases};
    auto const first = sent();
    rows<T const> const x{numbers.data(), {3, width}};
    auto const [y, saved] = forward<Style>(tools.execution, weights, activation<T const>{x, in});
    auto const second = sent();
    activation<T const> const dy{{numbers.data(), y.data.shape()}, y.full_hidden};
    backward<Style>(tools.execution, weights, saved, dy);
    auto const third = sent();
    auto const bill = cost_of<Style>(grid, tools.rank, shape);
    auto const back = backward_cost_of<Style>(grid, tools.rank, shape);
    CHECK(bill.template bytes_sent<tp>() == second.first - first.first);
    CHECK(bill.template bytes_sent<dp>() == second.second - first.second);
    CHECK(back.template bytes_sent<tp>() == third.first - second.first);
    CHECK(back.template bytes_sent<dp>() == third.second - second.second);
  });
}

template <class Style, class T = float>
void check_linears(bool enters_cut = false) {
  for (auto const& grid : {mesh<tp, dp>{1, 1}, mesh<tp, dp>{1, 3}, mesh<tp, dp>{2, 1}, mesh<tp, dp>{2, 3}}) {
    for (bool const biases : {false, true}) {
      check_linear<Style, T>(grid, 14, 9, enters_cut, biases);
      check_linear<Style, T>(grid, 2, 5, enters_cut, biases);  // some ranks have nothing
    }
  }
}

}  // namespace

TEST_CASE("prices of linear styles that are shared out") {
  check_linears<fsdp<colwise<tp>, dp>>();
  check_linears<fsdp<packed_colwise<tp>, dp, keep_gathered>>();
  check_linears<fsdp<rowwise<tp>, dp>>(true);
  check_linears<fsdp<replicated_linear, dp>, bf16>();
}

TEST_CASE("prices of norms that are shared out") {
  using style = fsdp<replicated_norm, dp>;
  mesh<tp, dp> const grid{1, 3};
  on_ranks<tp, dp>(grid, 1, [&](auto& tools) {
    std::vector<double> const numbers(40, 0.5);
    index_t const own = ceil_chunk::piece(10, 3, tools.rank).size;
    norm_weight<double> const weights{.weight = {numbers.data(), extents<hidden>{own}}, .full_width = 10};
    rows<double const> const x{numbers.data(), {4, 10}};
    auto& group = tools.groups.template get<dp>();
    index_t const first = group.bytes_sent();
    auto const [y, saved] = forward<style>(tools.execution, weights, x);
    index_t const second = group.bytes_sent();
    backward<style>(tools.execution, weights, saved, x);
    layer_shape const shape{.rows = 4, .width = 10, .element_size = 8};
    CHECK(cost_of<style>(grid, tools.rank, shape).template bytes_sent<dp>() == second - first);
    CHECK(backward_cost_of<style>(grid, tools.rank, shape).template bytes_sent<dp>() == group.bytes_sent() - second);
    CHECK(second - first == 2 * own * 8);
  });
}

namespace {

template <class Shards, class When, class Expert>
void check_experts(priced_sizes const& of) {
  using router = fsdp_router<top_k<kernel::softmax_then_top_k<true>>, all_experts, When>;
  using style = on_expert_grid<
      expert_parallel<router, all_to_all_dispatcher<>, fsdp_expert<Expert, edp, When, Shards>, weight_at::origin>>;
  for (auto const& grid :
       {folding<>{dense_mesh{2, 2}, expert_mesh{1, 2, 2}}, folding<>{dense_mesh{1, 4}, expert_mesh{2, 1, 2}},
        folding<>{dense_mesh{1, 3}, expert_mesh{1, 1, 3}}}) {
    CAPTURE(grid.template size<etp>());
    check_prices<style, float, priced_shares<Shards>>(grid, of);
  }
}

}  // namespace

TEST_CASE("prices of experts and routers that are shared out") {
  using biased = glu_expert<grouped, silu, halves, expert_options{.bias = true}>;
  check_experts<by_experts, gather_again, glu_expert<>>({});
  check_experts<by_rows_of_experts, keep_gathered, glu_expert<>>({});
  check_experts<by_experts, gather_again, biased>({.biases = true});
  check_experts<by_rows_of_experts, gather_again, biased>({.experts = 2, .ffn = 2, .biases = true});
}
