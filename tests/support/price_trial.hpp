// SPDX-License-Identifier: Apache-2.0
// A mixture whose experts are chosen equally often, as bills suppose: what every rank sends in a training step, group
// by group, is what the bills of its two halves say.
#pragma once

#include "ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/plan/backward_cost.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/fsdp.hpp>
#include <heddle/style/shard.hpp>
#include <vector>

namespace support {

using heddle::index_t;

/// Counts two operations a product of two numbers.
class counting_gemm : public heddle::host::reference_gemm {
 public:
  index_t flops = 0;

  void multiply(auto x, auto w, auto y, int threads) {
    count(x.template size<heddle::tokens>(), w);
    reference_gemm::multiply(x, w, y, threads);
  }
  void multiply_transposed(auto x, auto w, auto y, int threads) {
    count(x.template size<heddle::tokens>(), w);
    reference_gemm::multiply_transposed(x, w, y, threads);
  }
  void accumulate_outer(auto dy, auto x, auto dw, int threads) {
    count(x.template size<heddle::tokens>(), dw);
    reference_gemm::accumulate_outer(dy, x, dw, threads);
  }
  void multiply_grouped(auto x, std::span<index_t const> counts, auto w, auto y, int threads) {
    count_grouped(counts, w);
    reference_gemm::multiply_grouped(x, counts, w, y, threads);
  }
  void multiply_transposed_grouped(auto x, std::span<index_t const> counts, auto w, auto y, int threads) {
    count_grouped(counts, w);
    reference_gemm::multiply_transposed_grouped(x, counts, w, y, threads);
  }
  void accumulate_outer_grouped(auto dy, std::span<index_t const> counts, auto x, auto dw, int threads) {
    count_grouped(counts, dw);
    reference_gemm::accumulate_outer_grouped(dy, counts, x, dw, threads);
  }

 private:
  void count(index_t rows, auto const& w) { flops += 2 * rows * w.count(); }
  void count_grouped(std::span<index_t const> counts, auto const& w) {
    index_t rows = 0;
    for (index_t const each : counts) rows += each;
    if (rows > 0) flops += 2 * rows * (w.count() / w.template size<heddle::experts>());
  }
};

/// Sizes over all ranks; every rank that dispatches brings a token for each expert.
struct priced_sizes {
  index_t experts = 8, width = 6, ffn = 4, shared = 0, identity = 0;
  index_t capacity = 0;  ///< 3 of two choices an expert
  bool biases = false;
};

/// How parameters lie: whole but for ep and etp, ...
struct priced_whole {
  using parts = heddle::glu_expert<>::on_groups<heddle::ep, heddle::etp>;
  using gate = heddle::placement<>;
  using fc1 = parts::fc1_weight;
  using fc2 = parts::fc2_weight;
  using fc2_bias = parts::fc2_bias;
  using shared1 = heddle::placement<>;
  using shared2 = heddle::placement<>;
};
/// ... with the shared expert cut, ...
template <class Shared>
struct priced_cut : priced_whole {
  using shared1 = typename Shared::fc1_weight;
  using shared2 = typename Shared::fc2_weight;
};
using all_experts = heddle::joint<heddle::etp, heddle::ep, heddle::edp>;
/// ... or shared out over the ranks that have the same experts, and the router over all.
template <class Shards>
struct priced_shares : priced_whole {
  template <class Placement, class Group, class By>
  using shared = heddle::detail::shared_placement<Placement, Group, By>;
  using gate = shared<heddle::placement<>, all_experts, heddle::by_rows<>>;
  using fc1 = shared<priced_whole::fc1, heddle::edp, Shards>;
  using fc2 = shared<priced_whole::fc2, heddle::edp, Shards>;
  using fc2_bias = shared<priced_whole::fc2_bias, heddle::edp, Shards>;
};

/// A rank's parameters. Token t chooses experts t and t + experts / 2, by a recording: on different ranks wherever
/// there are two.
template <class T, class Lie>
struct priced_memory {
  priced_memory(heddle::folding<> const& grid, priced_sizes const& of, int rank) {
    using namespace heddle;
    auto const all = of.experts + of.identity;
    height = all * grid.size<tp>();
    x.assign(static_cast<std::size_t>(height * of.width), T(0.5));
    for (index_t t = 0; t < height; ++t) {
      ids.push_back(static_cast<std::int32_t>(t % all));
      ids.push_back(static_cast<std::int32_t>((t + all / 2) % all));
    }
    auto const part = [&]<class Cut>(std::type_identity<Cut>, std::vector<T>& memory, shape_t const& whole,
                                     parameter_kind kind = parameter_kind::weight) {
      auto const own = detail::sharding<Cut>::part(box::all(whole), kind, weight_order::out_in, grid, rank).shape();
      index_t count = 1;
      for (index_t const size : own) count *= size;
      memory.assign(static_cast<std::size_t>(count), T(0.1));
      return own;
    };
    auto const kind = parameter_kind::bias;
    auto const g = part(std::type_identity<typename Lie::gate>{}, gate, {all, of.width});
    auto const a = part(std::type_identity<typename Lie::fc1>{}, fc1, {of.experts, 2 * of.ffn, of.width});
    auto const b = part(std::type_identity<typename Lie::fc2>{}, fc2, {of.experts, of.width, of.ffn});
    auto const c = part(std::type_identity<typename Lie::fc1>{}, bias1, {of.experts, 2 * of.ffn}, kind);
    auto const d = part(std::type_identity<typename Lie::fc2_bias>{}, bias2, {of.experts, of.width}, kind);
    auto const e = part(std::type_identity<typename Lie::shared1>{}, shared1, {2 * of.shared, of.width});
    auto const f = part(std::type_identity<typename Lie::shared2>{}, shared2, {of.width, of.shared});
    shared_gate.assign(static_cast<std::size_t>(of.width), T(0.1));
    weights = {.gate = {{gate.data(), {g[0], of.width}}, all, of.width, {}},
               .fc1 = {{fc1.data(), {a[0], a[1], a[2]}}, of.experts, 2 * of.ffn, of.width, {}},
               .fc2 = {{fc2.data(), {b[0], b[1], b[2]}}, of.experts, of.width, of.ffn, {}},
               .top_k = 2,
               .shared = {.fc1 = {{shared1.data(), {e[0], e[1]}}, 2 * of.shared, of.width, {}},
                          .fc2 = {{shared2.data(), {f[0], f[1]}}, of.width, of.shared, {}},
                          .gate = {{shared_gate.data(), {1, of.width}}, 1, of.width, {}}}};
    if (of.capacity > 0) weights.options.capacity_factor = 1.5;
    if (!of.biases) return;
    weights.fc1.bias = {bias1.data(), {c[0], c[1]}};
    weights.fc2.bias = {bias2.data(), {d[0], d[1]}};
  }
  priced_memory(priced_memory const&) = delete;
  priced_memory& operator=(priced_memory const&) = delete;

  index_t height = 0;
  std::vector<T> x, gate, fc1, fc2, bias1, bias2, shared1, shared2, shared_gate;
  std::vector<std::int32_t> ids;
  heddle::moe_weights<T> weights{};
};

/// Grids on which every rank brings equally many tokens, and as many of each expert.
inline std::vector<heddle::folding<>> priced_grids() {
  using namespace heddle;
  return {folding<>{}, folding<>{dense_mesh{2, 2}, expert_mesh{1, 4, 1}},
          folding<>{dense_mesh{1, 4}, expert_mesh{2, 2, 1}}, folding<>{dense_mesh{1, 2}, expert_mesh{2, 1, 1}},
          folding<>{dense_mesh{4, 2}, expert_mesh{2, 2, 2}}};
}

/// Runs a step of `Style` and compares what was sent, and what memory was taken, with the bills.
template <class Style, class T = float, class Lie = priced_whole>
void check_prices(heddle::folding<> const& grid, priced_sizes const& of = {}) {
  using namespace heddle;
  using both = joint<etp, ep>;
  on_ranks<tp, dp, etp, ep, edp, both, all_experts>(grid, 1, [&](auto& tools) {
    priced_memory<T, Lie> const own{grid, of, tools.rank};
    auto const sent = [&] {
      auto const of_group = [&](auto group) { return tools.groups.template get<decltype(group)>().bytes_sent(); };
      return std::array{of_group(tp{}),  of_group(dp{}),   of_group(etp{}),        of_group(ep{}),
                        of_group(edp{}), of_group(both{}), of_group(all_experts{})};
    };
    auto const compare = [&](cost_report const& bill, auto const& before, auto const& after) {
      CHECK(after[0] - before[0] == bill.template bytes_sent<tp>());
      CHECK(after[1] - before[1] == bill.template bytes_sent<dp>());
      CHECK(after[2] - before[2] == bill.template bytes_sent<etp>());
      CHECK(after[3] - before[3] == bill.template bytes_sent<ep>());
      CHECK(after[4] - before[4] == bill.template bytes_sent<edp>());
      CHECK(after[5] - before[5] == bill.template bytes_sent<both>());
      CHECK(after[6] - before[6] == bill.template bytes_sent<all_experts>());
    };
    layer_shape const shape{.rows = own.height,
                            .width = of.width,
                            .experts = of.experts + of.identity,
                            .top_k = 2,
                            .ffn = of.ffn,
                            .element_size = sizeof(T),
                            .capacity = of.capacity,
                            .identity = of.identity,
                            .shared = of.shared};
    counting_gemm gemm;
    using groups_type = typename std::remove_reference_t<decltype(tools)>::groups_type;
    heddle::host::execution<counting_gemm, groups_type> execution{gemm, tools.groups, tools.scratch};
    rows<T const> const x{own.x.data(), extents<tokens, hidden>{own.height, of.width}};
    step_state<> state;
    state.inputs.recorded = {own.ids.data(), extents<tokens, slots>{own.height, 2}};
    auto const first = sent();
    auto const [y, saved] = forward<Style>(execution, own.weights, x, state);
    auto const second = sent();
    auto const bill = cost_of<Style>(grid, tools.rank, shape);
    compare(bill, first, second);
    CHECK(bill.flops == gemm.flops);
    CHECK(static_cast<index_t>(tools.scratch.peak_bytes()) >= bill.activation_bytes);
    backward<Style>(execution, own.weights, saved, rows<T const>{own.x.data(), y.data.shape()});
    auto const back = backward_cost_of<Style>(grid, tools.rank, shape);
    compare(back, second, sent());
    CHECK(bill.flops + back.flops == gemm.flops);
    CHECK(static_cast<index_t>(tools.scratch.peak_bytes()) >= bill.activation_bytes + back.activation_bytes);
  });
}

template <class Dispatcher, heddle::weight_at At, class Expert>
using priced_mixture = heddle::on_expert_grid<
    heddle::expert_parallel<heddle::top_k<heddle::kernel::softmax_then_top_k<true>>, Dispatcher, Expert, At>>;

template <class Dispatcher, heddle::weight_at At, class Expert>
void check_mixtures(priced_sizes const& of = {}) {
  for (auto const& grid : priced_grids()) {
    CAPTURE(grid.template size<heddle::ep>());
    CAPTURE(grid.template size<heddle::etp>());
    check_prices<priced_mixture<Dispatcher, At, Expert>>(grid, of);
  }
}

}  // namespace support
