// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_expert_bias.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using entered = placement<on<ep, routed>, on<etp, varying>>;
using left = placement<on<ep, routed>, on<etp, partial>>;
using uncut = placement<on<ep, sharded<experts>>>;
template <class Mode>
using bias_of = add_expert_bias<Mode, left, uncut, fc2_role>;
template <class Mode>
using weighted = add_weighted_bias<Mode, left, entered, uncut, fc2_role>;
using keep_weights = gate_scale_keep<placement<on<ep, routed>, on<etp, varying>>, entered>;

/// Three experts with biases {1, 2}, {10, 20}, {100, 200}; `body(frame, rank, sums of the bias gradient)` on ranks of
/// etp.
template <class Body>
void with_biases(int ranks, std::vector<index_t> const& counts, Body const& body) {
  list const b{1, 2, 10, 20, 100, 200};
  list const w(12);
  support::on_ranks<ep, etp>(mesh<ep, etp>{1, ranks}, 1, [&](auto& tools) {
    moe_weights<float> weights{};
    weights.fc2 = {support::matrices_of(w, 3, 2, 2), 3, 2, 2, {b.data(), extents<experts, out_features>{3, 2}}};
    list sums(6, 1000.0F);
    moe_gradients<float> gradients{};
    gradients.fc2.bias = {sums.data(), extents<experts, out_features>{3, 2}};
    step_state<> state;
    frame step{tools.execution, weights, state, gradients};
    step.routing.expert_rows = counts;
    body(step, tools.rank, sums);
  });
}
row_gates<> weights_of(list const& w) { return {{w.data(), extents<tokens>{static_cast<index_t>(w.size())}}}; }

}  // namespace

TEST_CASE("a bias on a summand is added by the first rank of the group, and so is its gradient") {
  with_biases(2, {2, 0, 1}, [](auto& frame, int rank, list const& sums) {
    list const x(6, 0.5F);
    auto const y = run(bias_of<grouped>{}, frame, value(x, 3, 2));
    CHECK(read(y) == (rank == 0 ? list{1.5F, 2.5F, 1.5F, 2.5F, 100.5F, 200.5F} : x));
    list const dy{1, 2, 3, 4, 5, 6};
    auto const in = value(dy, 3, 2);
    CHECK(run(bias_of<grouped>::conjugate{}, frame, in).data.data() == dy.data());
    bool const here = put_by(bias_of<grouped>{}, frame);
    CHECK(here == (rank == 0));
    accumulate(bias_of<grouped>{}, frame, in, here);
    CHECK(sums == (rank == 0 ? list{1004, 1006, 1000, 1000, 1005, 1006} : list(6, 1000.0F)));
  });
}

TEST_CASE("a weighted bias: rows, gradients of weights, gradient of the bias") {
  with_biases(2, {1, 2, 0}, [](auto& frame, int rank, list const& sums) {
    list const x{0, 0, 1, 1, 2, 2};
    list const w{2, 3, 4};
    auto const y = run(weighted<grouped>{}, frame, value(x, 3, 2), weights_of(w));
    CHECK(read(y) == (rank == 0 ? list{2, 4, 31, 61, 42, 82} : x));
    list const dy{1, 2, 3, 4, 5, 6};
    kept<row_gates<>> const saved{{weights_of(w)}};
    auto const in = value(dy, 3, 2);
    auto const [dx, dw] = run(weighted<grouped>::conjugate{}, frame, saved, in);
    CHECK(dx.data.data() == dy.data());
    CHECK(read(dw) == (rank == 0 ? list{5, 110, 170} : list{0, 0, 0}));
    accumulate(weighted<grouped>{}, frame, saved, in, put_by(weighted<grouped>{}, frame));
    CHECK(sums == (rank == 0 ? list{1002, 1004, 1029, 1036, 1000, 1000} : list(6, 1000.0F)));
  });
}

TEST_CASE("rows in gaps get no bias and stay zero") {
  with_biases(1, {1, 0, 2}, [](auto& frame, int, list const&) {
    list const x{5, 5, 0, 0, 0, 0, 0, 0, 6, 6, 7, 7, 0, 0, 0, 0};  // groups of four
    CHECK(read(run(bias_of<aligned<4>>{}, frame, value(x, 8, 2))) ==
          list{6, 7, 0, 0, 0, 0, 0, 0, 106, 206, 107, 207, 0, 0, 0, 0});
    list const w{2, 0, 0, 0, 3, 4, 0, 0};
    CHECK(read(run(weighted<aligned<4>>{}, frame, value(x, 8, 2), weights_of(w))) ==
          list{7, 9, 0, 0, 0, 0, 0, 0, 306, 606, 407, 807, 0, 0, 0, 0});
  });
}

TEST_CASE("weights that go on collect twice") {
  with_biases(1, {3, 0, 0}, [](auto& frame, int, list const&) {
    list const x{1, 2, 3, 4, 5, 6};
    list const w{2, 0, -1};
    auto const [y, same] = run(keep_weights{}, frame, value(x, 3, 2), weights_of(w));
    CHECK(read(y) == list{2, 4, 0, 0, -5, -6});
    CHECK(same.weights.data() == w.data());
    list const dy{1, 1, 2, 0, 0, 3};
    list const later{100, 200, 300};
    kept<activation<float const>, row_gates<>> const saved{{value(x, 3, 2), weights_of(w)}};
    auto const [dx, dw] = run(keep_weights::conjugate{}, frame, saved, value(dy, 3, 2), weights_of(later));
    CHECK(read(dx) == list{2, 2, 0, 0, 0, -3});
    CHECK(read(dw) == list{103, 206, 318});
  });
}

TEST_CASE("biases that are not there, or of another number of experts, are refused") {
  list const w(12);
  moe_weights<float> weights{};
  weights.fc2 = {support::matrices_of(w, 3, 2, 2), 3, 2, 2};
  in_frames<ep, etp>(mesh<ep, etp>{1, 1}, weights, [&](auto& frame, int) {
    std::vector<index_t> const counts{1, 0, 0};
    frame.routing.expert_rows = counts;
    CHECK_THROWS_AS(static_cast<void>(run(bias_of<grouped>{}, frame, value(w, 1, 2))), error);
  });
  weights.fc2.bias = {w.data(), extents<experts, out_features>{2, 2}};
  in_frames<ep, etp>(mesh<ep, etp>{1, 1}, weights, [&](auto& frame, int) {
    try {
      static_cast<void>(run(bias_of<grouped>{}, frame, value(w, 1, 2)));
      FAIL("no error");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::shape);
      CHECK(problem.text().find("3 experts and the biases of 2") != std::string::npos);
    }
  });
}
