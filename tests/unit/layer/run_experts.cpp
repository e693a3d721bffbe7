// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_experts.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

template <class Mode>
using first = expert_gemm<Mode, placement<>, placement<>, placement<>, fc1_role>;

}  // namespace

TEST_CASE("rows in expert order meet the matrices of their experts; an expert may have none") {
  list const w{1, 1, 1, -1, 0, 0, 0, 0, 2, 0, 0, 3};  // three experts of [2, 2]
  moe_weights<float> weights{};
  weights.fc1 = {support::matrices_of(w, 3, 2, 2), 3, 2, 2};
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    list const x{1, 2, 3, 4, 5, 6};
    std::vector<index_t> const counts{1, 0, 2};
    frame.routing.expert_rows = counts;
    list const expected{3, -1, 6, 12, 10, 18};
    auto const y = run(first<grouped>{}, frame, value(x, 3, 2));
    CHECK(read(y) == expected);
    CHECK(y.full_hidden == 2);
    CHECK(read(run(first<sequential>{}, frame, value(x, 3, 2))) == expected);
  });
}

TEST_CASE("no rows at all") {
  list const w(8, 1.0F);
  moe_weights<float> weights{};
  weights.fc1 = {support::matrices_of(w, 2, 2, 2), 2, 2, 2};
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    std::vector<index_t> const counts{0, 0};
    frame.routing.expert_rows = counts;
    CHECK(read(run(first<grouped>{}, frame, value({}, 0, 2))).empty());
    CHECK(read(run(first<sequential>{}, frame, value({}, 0, 2))).empty());
  });
}

TEST_CASE("weights of another number of experts, or of another width, are refused with both numbers") {
  list const w(8, 1.0F);
  moe_weights<float> weights{};
  weights.fc1 = {support::matrices_of(w, 2, 2, 2), 2, 2, 2};
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    std::vector<index_t> const counts{1, 0, 1};
    frame.routing.expert_rows = counts;
    try {
      static_cast<void>(run(first<grouped>{}, frame, value(x, 2, 2)));
      FAIL("no error");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::shape);
      CHECK(problem.text().find("2 experts and rows for 3") != std::string::npos);
    }
    CHECK_THROWS_AS(static_cast<void>(run(first<grouped>{}, frame, value(x, 1, 4))), error);
  });
}

TEST_CASE("gradients of the experts: each matrix meets its own rows; an expert without rows keeps its sum") {
  list const w{1, 1, 1, -1, 7, 7, 7, 7, 2, 0, 0, 3};  // three experts of [2, 2]
  list const x{1, 2, 3, 4, 5, 6};
  list const dy{1, 10, 2, 20, 3, 30};
  std::vector<index_t> const counts{1, 0, 2};
  auto const check = [&]<class Mode>(Mode) {
    support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
      moe_weights<float> weights{};
      weights.fc1 = {support::matrices_of(w, 3, 2, 2), 3, 2, 2};
      list dw(12, 1.0F);
      moe_gradients<float> gradients{};
      gradients.fc1.weight = {dw.data(), extents<experts, out_features, in_features>{3, 2, 2}};
      step_state<> state;
      frame step{tools.execution, weights, state, gradients};
      step.routing.expert_rows = counts;
      kept<activation<float const>> const saved{{value(x, 3, 2)}};
      auto const dx = run(typename first<Mode>::conjugate{}, step, saved, value(dy, 3, 2));
      CHECK(read(dx) == list{11, -9, 4, 60, 6, 90});
      CHECK(dx.full_hidden == 2);
      accumulate(first<Mode>{}, step, saved, value(dy, 3, 2));
      CHECK(dw == list{2, 3, 11, 21, 1, 1, 1, 1, 1 + 6 + 15, 1 + 8 + 18, 1 + 60 + 150, 1 + 80 + 180});
      CHECK(gradient_of(first<Mode>{}, gradients).data() == dw.data());
      CHECK_THROWS_AS(static_cast<void>(run(typename first<Mode>::conjugate{}, step, saved, value(dy, 2, 3))), error);
    });
  };
  check(grouped{});
  check(sequential{});
}
