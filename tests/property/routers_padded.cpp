// SPDX-License-Identifier: Apache-2.0
// Rows of nobody that fill an expert up to its capacity change nothing of a layer, forward or backward.
#include "../support/moe_trial.hpp"
#include "../support/router_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/drop.hpp>

using namespace heddle;
using namespace support;

namespace {

template <expert_room Rows>
using limited = composed_router<gate, choose<kernel::softmax_then_top_k<true>, 3>, drop<drop_by::probability, Rows>>;

struct layer_bits {
  std::vector<double> y, dx, dgate, dfc1;
};

/// Rank after rank what the layer gives, with a capacity of `factor` even shares.
template <class Style>
layer_bits run_layer(split_of const& split, moe_data const& data, double factor) {
  layer_bits all;
  std::mutex mutex;
  std::vector<layer_bits> of_rank(static_cast<std::size_t>(split.ranks));
  on_ranks<tp, dp, etp, ep, edp, joint<etp, ep>>(split.grid(), 1, [&](auto& tools) {
    moe_parameters<double> own{data.layer, tools.grid, tools.rank};
    own.weights.options.capacity_factor = factor;
    range const mine = ceil_chunk::piece(data.x[0], split.ranks, tools.rank);
    rows<double const> const x{data.x.data.data() + mine.begin * data.x[1],
                               extents<tokens, hidden>{mine.size, data.x[1]}};
    auto const [y, saved] = forward<Style>(tools.execution, own.weights, x);
    auto const [dx, gradients] = backward<Style>(tools.execution, own.weights, saved, x);
    layer_bits& bits = of_rank[static_cast<std::size_t>(tools.rank)];
    bits.y.assign(y.data.data(), y.data.data() + y.data.count());
    bits.dx.assign(dx.data.data(), dx.data.data() + dx.data.count());
    bits.dgate.assign(gradients.gate.weight.data(), gradients.gate.weight.data() + gradients.gate.weight.count());
    bits.dfc1.assign(gradients.fc1.weight.data(), gradients.fc1.weight.data() + gradients.fc1.weight.count());
  });
  for (layer_bits const& one : of_rank) {
    for (auto const list : {&layer_bits::y, &layer_bits::dx, &layer_bits::dgate, &layer_bits::dfc1})
      (all.*list).insert((all.*list).end(), (one.*list).begin(), (one.*list).end());
  }
  return all;
}

bool near(std::vector<double> const& a, std::vector<double> const& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; i < a.size() && same; ++i) same = std::abs(a[i] - b[i]) <= 1e-12;
  return same;
}

template <class Dispatcher, weight_at At>
void check() {
  moe_data const data = make_moe<double>({.tokens = 22});
  for (split_of const& split : {split_of{1}, split_of{2, 1, 2, 1}, split_of{4, 1, 2, 2}, split_of{3, 1, 3, 1}}) {
    for (double const factor : {0.5, 1.0, 4.0}) {
      CAPTURE(split.text());
      CAPTURE(factor);
      auto const plain =
          run_layer<expert_parallel<limited<expert_room::as_chosen>, Dispatcher, glu_expert<grouped>, At>>(split, data,
                                                                                                           factor);
      auto const padded =
          run_layer<expert_parallel<limited<expert_room::to_capacity>, Dispatcher, glu_expert<grouped>, At>>(
              split, data, factor);
      CHECK(plain.y.size() == data.x.data.size());
      CHECK(plain.y == padded.y);
      CHECK(plain.dx == padded.dx);
      CHECK(plain.dgate == padded.dgate);
      CHECK(near(plain.dfc1, padded.dfc1));  // its sums over rows are cut into blocks
    }
  }
}

}  // namespace

TEST_CASE("all_to_all, weights at the origin") { check<all_to_all_dispatcher<>, weight_at::origin>(); }
TEST_CASE("all_to_all, weights at the activation") { check<all_to_all_dispatcher<>, weight_at::activation>(); }
TEST_CASE("all_gather, which takes rows as chosen") { check<all_gather_dispatcher<>, weight_at::output>(); }
TEST_CASE("tokens stored once a rank, which are taken as chosen too") {
  check<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>, weight_at::output>();
}
