// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/saved_bytes.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;
using namespace numbers;

namespace {

template <class Style>
struct again {
  static constexpr fixed_string name = "again";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<recompute<typename Style::forward>>;
  using backward = conjugate_t<forward>;
};
using activation_alone = gated<tp>;

}  // namespace

TEST_CASE("saved_bytes: every view once, whoever keeps it") {
  list const a(6, 1.0F);
  list const b(6, 2.0F);
  auto const first = value(a, 2, 3);
  auto const second = value(b, 2, 3);
  CHECK(saved_bytes(nothing_kept{}) == 0);
  CHECK(saved_bytes(kept{std::tuple{first}}) == 24);
  CHECK(saved_bytes(kept{std::tuple{first, first}}) == 24);
  CHECK(saved_bytes(std::tuple{kept{std::tuple{first}}, nothing_kept{}, kept{std::tuple{second, first}}}) == 48);
  CHECK(saved_bytes(kept{std::tuple{value(a, 1, 3)}}) == 12);
  CHECK(saved_bytes(kept{std::tuple{value(a, 0, 3)}}) == 0);
}

TEST_CASE("saved_bytes: ids, weights and the routing of the step") {
  std::vector<std::int64_t> const words{1, 2, 3};
  CHECK(saved_bytes(kept{std::tuple{token_ids<>{{words.data(), extents<tokens>{3}}}}}) == 24);
  std::vector<std::int32_t> const ids{0, 1, 1, 0};
  std::vector<double> const weights(4, 0.5);
  extents<tokens, slots> const shape{2, 2};
  gates<host_memory, double> const chosen{{weights.data(), shape}, {ids.data(), shape}};
  CHECK(saved_bytes(kept{std::tuple{chosen}}) == 4 * 8 + 4 * 4);
  row_gates<host_memory, double> const of_rows{{weights.data(), extents<tokens>{3}}};
  CHECK(saved_bytes(kept{std::tuple{of_rows}}) == 24);
  step_state<> state;
  state.routing.begin(chosen.ids, 2);
  std::vector<index_t> const counts{2, 2};
  state.routing.expert_rows = counts;
  CHECK(saved_bytes(saved_step{kept{std::tuple{chosen}}, state}) == 4 * 8 + 4 * 4 + 16);
}

TEST_CASE("saved_bytes: the slopes of a balance loss wait for the backward pass") {
  step_state<> state;
  std::vector<double> const slopes(10, 1.0);
  state.report.slopes = slopes;
  saved_step<nothing_kept, step_state<>> const saved{{}, state};
  CHECK(saved_bytes(saved) == 80);
}

TEST_CASE("pending_bytes: the cotangents that parameters wait for, and what was computed again for them") {
  list const up(4 * 4, 1.0F);
  list const down(4 * 2, 1.0F);
  list const x(3 * 4, 1.0F);
  list const dy(3 * 4, 2.0F);
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    using mlp = layer<packed_colwise<tp>, activation_alone, rowwise<tp>>;
    std::tuple const parameters{linear<float>{support::matrix_of(up, 4, 4), 4, 4},
                                linear<float>{support::matrix_of(down, 4, 2), 4, 2}};
    auto const& in_use = [&] { return static_cast<index_t>(tools.scratch.now().in_use); };
    auto const [y, saved] = forward<mlp>(tools.execution, parameters, value(x, 3, 4));
    index_t const before = in_use();
    auto const waiting = backward_data<mlp>(tools.execution, parameters, saved, value(dy, 3, 4)).pending;
    CHECK(pending_bytes(waiting) == 3 * (4 + 4) * 4);  // of gate|up, and dy of the caller
    CHECK(pending_bytes(waiting) <= in_use() - before + 3 * 4 * 4);
    // A style that is computed again leaves its input besides.
    linear<float> const one{support::matrix_of(up, 4, 4), 4, 4};
    auto const once = forward<again<replicated_linear>>(tools.execution, one, value(x, 3, 4));
    auto const more =
        backward_data<again<replicated_linear>>(tools.execution, one, once.saved, value(dy, 3, 4)).pending;
    CHECK(pending_bytes(more) == 3 * (4 + 4) * 4);
    auto const plain = forward<replicated_linear>(tools.execution, one, value(x, 3, 4));
    CHECK(pending_bytes(backward_data<replicated_linear>(tools.execution, one, plain.saved, value(dy, 3, 4)).pending) ==
          3 * 4 * 4);
    CHECK(pending_bytes(nothing_kept{}) == 0);
  });
}

TEST_CASE("saved_bytes: a linear layer keeps its input, and one that is computed again nothing else") {
  list const w(3 * 4, 1.0F);
  list const x(2 * 4, 1.0F);
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    linear<float> const weights{support::matrix_of(w, 3, 4), 3, 4};
    auto const once = forward<replicated_linear>(tools.execution, weights, value(x, 2, 4));
    CHECK(saved_bytes(once.saved) == 2 * 4 * 4);
    // x, gate|up and what comes of it; then x alone.
    list const up(4 * 4, 1.0F);
    list const down(4 * 2, 1.0F);
    using mlp = layer<packed_colwise<tp>, activation_alone, rowwise<tp>>;
    std::tuple const parameters{linear<float>{support::matrix_of(up, 4, 4), 4, 4},
                                linear<float>{support::matrix_of(down, 4, 2), 4, 2}};
    CHECK(saved_bytes(forward<mlp>(tools.execution, parameters, value(x, 2, 4)).saved) == 2 * (4 + 4 + 2) * 4);
    auto const less = forward<layer<packed_colwise<tp>, again<activation_alone>, rowwise<tp>>>(
        tools.execution, parameters, value(x, 2, 4));
    CHECK(saved_bytes(less.saved) == 2 * (4 + 4 + 2) * 4);  // the activation keeps its input anyhow
    auto const both = forward<again<replicated_linear>>(tools.execution, weights, value(x, 2, 4));
    CHECK(saved_bytes(both.saved) == 2 * 4 * 4);
  });
}
