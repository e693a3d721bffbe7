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
