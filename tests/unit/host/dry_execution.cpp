// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/dry_execution.hpp>

#include "../../support/moe_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/style/fsdp.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;

namespace {

/// Bytes after the forward pass, and after both.
struct bytes {
  std::size_t forward = 0, backward = 0;
  friend bool operator==(bytes const&, bytes const&) = default;
};

template <class Layer, class Execution, class Weights, class X>
bytes both_passes(Execution& execution, Weights const& weights, X const& x, step_state<> state, auto const& in_use) {
  auto const [y, saved] = forward<Layer>(execution, weights, x, state);
  std::size_t const after_forward = in_use();
  auto const [dx, gradients] = backward<Layer>(execution, weights, saved, borrow(y));
  static_cast<void>(dx);
  static_cast<void>(gradients);
  return {after_forward, in_use()};
}

template <class Layer>
void compare(support::split_of const& split, support::moe_sizes const& sizes) {
  auto const data = support::make_moe(sizes);
  auto const grid = split.grid();
  support::on_ranks<tp, dp, etp, ep, edp>(grid, 1, [&](auto& tools) {
    range const own = balanced::piece(sizes.tokens, grid.template size<dp>(), grid.template coordinate<dp>(tools.rank));
    support::moe_parameters<float> const parameters{data.layer, grid, tools.rank};
    std::vector<float> const x(static_cast<std::size_t>(own.size * sizes.width), 0.5F);
    std::vector<std::int32_t> ids;
    for (index_t t = own.begin; t < own.end(); ++t) {
      for (index_t k = 0; k < sizes.slots; ++k)
        ids.push_back(static_cast<std::int32_t>((t * t + k * (1 + t % 2)) % sizes.experts));
    }
    step_state<> state;
    state.inputs.recorded = {ids.data(), extents<tokens, slots>{own.size, sizes.slots}};
    auto const in = support::rows_of(x, own.size, sizes.width);
    host::dry_execution dry{tools.groups};
    bytes const said = both_passes<Layer>(dry, parameters.weights, in, state, [&] { return dry.bytes_in_use(); });
    std::size_t const said_at_most = dry.peak_bytes();
    host::workspace::scope const scope{tools.scratch};
    bytes const taken =
        both_passes<Layer>(tools.execution, parameters.weights, in, state, [&] { return tools.scratch.now().in_use; });
    CHECK_MESSAGE(said.forward == taken.forward, split.text());
    CHECK_MESSAGE(said.backward == taken.backward, split.text());
    CHECK(said_at_most == tools.scratch.peak_bytes());
    CHECK(taken.backward > taken.forward);
  });
}

}  // namespace

TEST_CASE("a dry step says how much memory a mixture takes, forward and backward, to the byte") {
  using spread_out = all_to_all_dispatcher<>;
  for (support::split_of const split : {support::split_of{1, 1, 1, 1}, {4, 2, 2, 1}, {6, 1, 2, 3}, {3, 1, 3, 1}}) {
    support::moe_sizes const sizes{.tokens = 11, .width = 10, .ffn = 7, .experts = 5, .slots = 2};
    compare<support::moe_layer<spread_out, grouped, weight_at::origin>>(split, sizes);
    compare<support::moe_layer<spread_out, sequential, weight_at::activation>>(split, sizes);
    compare<support::moe_layer<support::sharded_masked, grouped, weight_at::output>>(split, sizes);
    compare<support::moe_layer<all_gather_dispatcher<>, grouped, weight_at::input>>(split, sizes);
  }
}

TEST_CASE("a dry step counts gathered parameters beside the rest, to the byte") {
  using shared = fsdp<packed_colwise<tp>, dp>;
  using kept = fsdp<packed_colwise<tp>, dp, keep_gathered>;
  using grid_type = mesh<tp, dp>;
  support::on_ranks<tp, dp>(grid_type{2, 3}, 1, [](auto& tools) {
    auto const check = [&]<class Style>(std::type_identity<Style>) {
      shape_t const whole{22, 5};
      box const part = shard_weight<Style>(whole, tools.grid, tools.rank);
      box const part_of_bias = shard_bias<Style>({22}, tools.grid, tools.rank);
      std::vector<float> const w(static_cast<std::size_t>(part.count())), b(w.size()), x(20);
      linear<float> const weights{
          {w.data(), {part.shape()[0], 5}}, 22, 5, {b.data(), extents<hidden>{part_of_bias.shape()[0]}}};
      host::dry_execution dry{tools.groups};
      bytes const said =
          both_passes<Style>(dry, weights, support::rows_of(x, 4, 5), {}, [&] { return dry.bytes_in_use(); });
      host::workspace scratch;
      host::execution execution{tools.gemm, tools.groups, scratch};
      bytes const taken =
          both_passes<Style>(execution, weights, support::rows_of(x, 4, 5), {}, [&] { return scratch.now().in_use; });
      CHECK(said == taken);
      CHECK(dry.peak_bytes() == scratch.peak_bytes());
      CHECK(dry.lent_peak_bytes() == scratch.aside().peak_bytes());
      CHECK(dry.lent_peak_bytes() > 0);
      return taken.forward;
    };
    CHECK(check(std::type_identity<shared>{}) < check(std::type_identity<kept>{}));
  });
}

TEST_CASE("a workspace of as much as a dry step says is enough, lent memory among it, and with a byte less it is not") {
  using style = fsdp<packed_colwise<tp>, dp>;
  support::on_ranks<tp, dp>(mesh<tp, dp>{1, 1}, 1, [](auto& tools) {
    std::vector<float> const w(22 * 5, 0.5F), x(20, 1.0F);
    linear<float> const weights{support::matrix_of(w, 22, 5), 22, 5};
    auto const step = [&](auto& execution) {
      static_cast<void>(both_passes<style>(execution, weights, support::rows_of(x, 4, 5), {}, [] { return 0U; }));
    };
    host::dry_execution dry{tools.groups};
    step(dry);
    CHECK(dry.limit_bytes() > dry.peak_bytes());
    CHECK(dry.limit_bytes() <= dry.peak_bytes() + dry.lent_peak_bytes());
    auto const run_with = [&](std::size_t limit) {
      host::workspace scratch{limit};
      host::execution execution{tools.gemm, tools.groups, scratch};
      step(execution);
    };
    run_with(dry.limit_bytes());
    try {
      run_with(dry.limit_bytes() - 1);
      CHECK(false);
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::workspace);
    }
    dry.clear();
    CHECK(dry.limit_bytes() == 0);
  });
}

TEST_CASE("memory that a step does not have is not touched: a layer too large for this machine is counted") {
  using layer = packed_colwise<tp>;
  host::self_communicator alone;
  mesh_groups<host::self_communicator, tp> groups{alone, mesh<tp>{1}};
  host::dry_execution dry{groups};
  index_t const width = 1 << 20;
  float const here = 0;
  linear<float> const weights{{&here, {2 * width, width}}, 2 * width, width};
  auto const y = infer<layer>(dry, weights, rows<float const>{&here, {width, width}});
  CHECK(y.data.shape()[1] == 2 * width);
  CHECK(dry.peak_bytes() >= std::size_t{8} << 40);  // 8 TiB
  dry.clear();
  CHECK(dry.peak_bytes() == 0);
}
