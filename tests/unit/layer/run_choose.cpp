// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_choose.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

template <class Frame>
std::vector<std::int32_t> ids_of(Frame& frame) {
  auto const ids = frame.routing.ids;
  return {ids.data(), ids.data() + ids.count()};
}
list weights_of(gates<> g) { return {g.weights.data(), g.weights.data() + g.weights.count()}; }
std::vector<index_t> list_of(std::span<index_t const> counts) { return {counts.begin(), counts.end()}; }

using after_top_k = kernel::top_k_then_softmax;
using sigmoid_of_groups = kernel::sigmoid_then_top_k<true>;
template <class Rule>
using any_k = choose<Rule, static_cast<int>(dynamic)>;

/// One frame on one rank, with the inputs of the caller's step.
template <class Weights, class Body>
void in_frame(Weights const& weights, routing_inputs<> const& inputs, Body const& body) {
  support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
    step_state<> state;
    state.inputs = inputs;
    frame frame{tools.execution, weights, state};
    body(frame);
  });
}

}  // namespace

TEST_CASE("choose gives ids in falling order and their weights; k may come from the weights") {
  moe_weights<float> weights{};
  weights.top_k = 2;
  weights.route_scale = 4;
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    float const ln3 = std::log(3.0F);
    list const logits{0, ln3, -1, ln3, 1, 0, 0, 1};
    auto const two = run(choose<after_top_k, static_cast<int>(dynamic)>{}, frame, value(logits, 2, 4));
    CHECK(ids_of(frame) == std::vector<std::int32_t>{1, 3, 0, 3});  // equal scores: the smaller number first
    CHECK(weights_of(two) == list{2, 2, 2, 2});
    CHECK(frame.routing.experts == 4);
    auto const three = weights_of(run(choose<after_top_k, 3>{}, frame, value(logits, 2, 4)));
    CHECK(ids_of(frame) == std::vector<std::int32_t>{1, 3, 0, 0, 3, 1});
    CHECK(three[0] == doctest::Approx(4 * 3.0 / 7));
    CHECK(three[2] == doctest::Approx(4 * 1.0 / 7));
    CHECK_THROWS_AS(static_cast<void>(run(choose<after_top_k, 5>{}, frame, value(logits, 2, 4))), error);
  });
}

TEST_CASE("a k that cannot be is refused before memory is taken for it") {
  for (index_t const k : {index_t{-1}, index_t{-1'000'000'000'000}, index_t{0}, index_t{5}}) {
    moe_weights<float> weights{};
    weights.top_k = k;
    in_frames<ep>(mesh<ep>{1}, weights, [&](auto& frame, int) {
      std::size_t const before = frame.execution().scratch().peak_bytes();
      list const logits{0, 1, 2, 3};
      using dynamic_k = choose<after_top_k, static_cast<int>(dynamic)>;
      CHECK_THROWS_AS(static_cast<void>(run(dynamic_k{}, frame, value(logits, 1, 4))), error);
      CHECK(frame.execution().scratch().peak_bytes() == before);
    });
  }
}

TEST_CASE("the bias of experts has a part in the choice and none in the weights; the report counts") {
  list const bias{0, 0, 4, -4};
  moe_weights<float> weights{};
  weights.top_k = 2;
  weights.expert_bias = support::vector_of(bias);
  in_frame(weights, routing_inputs<>{}, [](auto& frame) {
    list const logits{0, 0, 0, 1, 3, 2, 0, 1};
    auto const chosen = run(any_k<kernel::top_k_then_sigmoid>{}, frame, value(logits, 2, 4));
    CHECK(ids_of(frame) == std::vector<std::int32_t>{2, 0, 2, 0});
    CHECK(weights_of(chosen)[0] == 0.5F);
    CHECK(weights_of(chosen)[3] == doctest::Approx(1 / (1 + std::exp(-3.0))));
    CHECK(list_of(frame.report.kept) == std::vector<index_t>{2, 0, 2, 0});
    CHECK(frame.report.dropped.empty());
  });
}

TEST_CASE("a bias may be narrower than the logits; one of another length is refused") {
  list const bias{0, 0, 4};
  moe_weights<float> weights{};
  weights.expert_bias = support::vector_of(bias);
  in_frame(weights, routing_inputs<>{}, [](auto& frame) {
    std::vector<double> const three{1, 0, 0};
    activation<double const> const logits{support::rows_of(three, 1, 3), 3};
    auto const chosen = run(choose<after_top_k, 1>{}, frame, logits);
    static_assert(std::same_as<std::remove_cvref_t<decltype(chosen)>, gates<host_memory, float>>);
    CHECK(ids_of(frame) == std::vector<std::int32_t>{2});
    list const four{1, 0, 0, 0};
    CHECK_THROWS_AS(static_cast<void>(run(choose<after_top_k, 1>{}, frame, value(four, 1, 4))), error);
  });
}

TEST_CASE("groups are numbers of the weights, checked before memory is taken") {
  moe_weights<float> weights{};
  weights.top_k = 2;
  weights.groups = 2;
  in_frame(weights, routing_inputs<>{}, [](auto& frame) {
    list const logits{3, 0, 2, 2};
    CHECK_THROWS_AS(static_cast<void>(run(any_k<after_top_k>{}, frame, value(logits, 1, 4))), error);
    CHECK(frame.execution().scratch().peak_bytes() == 0);
    static_cast<void>(run(any_k<sigmoid_of_groups>{}, frame, value(logits, 1, 4)));
    CHECK(ids_of(frame) == std::vector<std::int32_t>{2, 3});  // together more than the best expert and the worst
  });
  weights.groups = 3;
  in_frame(weights, routing_inputs<>{}, [](auto& frame) {
    list const logits{3, 0, 2, 2};
    CHECK_THROWS_AS(static_cast<void>(run(any_k<sigmoid_of_groups>{}, frame, value(logits, 1, 4))), error);
  });
}

TEST_CASE("padding chooses nobody, counts for nobody, and has no gradient") {
  bool const padding[] = {false, true, false};
  moe_weights<float> weights{};
  weights.top_k = 1;
  routing_inputs<> inputs;
  inputs.padding = {padding, extents<tokens>{3}};
  in_frame(weights, inputs, [](auto& frame) {
    list const logits{1, 0, NAN, NAN, 0, 1};
    auto const x = value(logits, 3, 2);
    auto const chosen = run(any_k<kernel::softmax_then_top_k<false>>{}, frame, x);
    CHECK(ids_of(frame) == std::vector<std::int32_t>{0, -1, 1});
    CHECK(weights_of(chosen)[1] == 0);
    CHECK(list_of(frame.report.kept) == std::vector<index_t>{1, 1});
    list const dw{1, 1, 1};
    kept<activation<float const>, gates<>> const saved{{x, chosen}};
    auto const dx = read(run(any_k<kernel::softmax_then_top_k<false>>::conjugate{}, frame, saved,
                             gates<>{{dw.data(), chosen.weights.shape()}}));
    CHECK(dx[0] == doctest::Approx(0.1966119));  // p (1 - p) of p = sigmoid(1)
    CHECK(dx[2] == 0);
    CHECK(dx[3] == 0);
    list const two{1, 0, 0, 1};
    CHECK_THROWS_AS(static_cast<void>(run(any_k<after_top_k>{}, frame, value(two, 2, 2))), error);
  });
}

TEST_CASE("a recording is taken in place of a choice; its weights are those of the live logits") {
  std::vector<std::int32_t> const recorded{2, 0, 1, -1};
  moe_weights<float> weights{};
  weights.top_k = 2;
  routing_inputs<> inputs;
  inputs.recorded = {recorded.data(), extents<tokens, slots>{2, 2}};
  in_frame(weights, inputs, [&](auto& frame) {
    list const logits{1, 5, 1, 1, 5, 1};
    auto const chosen = run(any_k<after_top_k>{}, frame, value(logits, 2, 3));
    CHECK(ids_of(frame) == recorded);
    CHECK(weights_of(chosen) == list{0.5F, 0.5F, 1, 0});
    CHECK(list_of(frame.report.kept) == std::vector<index_t>{1, 1, 1});
    CHECK_THROWS_AS(static_cast<void>(run(choose<after_top_k, 1>{}, frame, value(logits, 2, 3))), error);
    list const small{1, 2, 1, 2};
    CHECK_THROWS_AS(static_cast<void>(run(any_k<after_top_k>{}, frame, value(small, 2, 2))), error);
  });
}

TEST_CASE("no tokens: counts of zero") {
  in_frame(moe_weights<float>{}, routing_inputs<>{}, [](auto& frame) {
    list const none{};
    CHECK(run(any_k<after_top_k>{}, frame, value(none, 0, 3)).weights.count() == 0);
    CHECK(list_of(frame.report.kept) == std::vector<index_t>{0, 0, 0});
  });
}

TEST_CASE("an execution that counts as it chooses does both in one; a recording is dealt and counted as ever") {
  moe_weights<float> weights{};
  weights.top_k = 2;
  in_frame(weights, routing_inputs<>{}, [&](auto& frame) {
    using execution = std::remove_cvref_t<decltype(frame.execution())>;
    struct at_once : execution {
      explicit at_once(execution const& other) : execution{other} {}
      int* calls = nullptr;
      void choose(kernel::route<after_top_k, float> const& route, per_row<index_t> counts) const {
        ++*calls;
        for (index_t row = 0; row < route.ids.shape()[0]; ++row) route(serial_team{}, row);
        for (index_t e = 0; e < counts.count(); ++e) counts(e) = 10 + e;
      }
    };
    list const logits{0, 0, 0, 1, 3, 2, 0, 1};
    auto const expected = weights_of(run(any_k<after_top_k>{}, frame, value(logits, 2, 4)));
    auto const ids = ids_of(frame);
    int calls = 0;
    at_once tools{frame.execution()};
    tools.calls = &calls;
    step_state<> state;
    heddle::frame own{tools, weights, state};
    CHECK(weights_of(run(any_k<after_top_k>{}, own, value(logits, 2, 4))) == expected);
    CHECK(calls == 1);
    CHECK(ids_of(own) == ids);
    CHECK(own.routing.experts == 4);
    CHECK(list_of(own.report.kept) == std::vector<index_t>{10, 11, 12, 13});
    std::vector<std::int32_t> const recorded{3, 1, 3, 2};
    state.inputs.recorded = {recorded.data(), extents<tokens, slots>{2, 2}};
    heddle::frame again{tools, weights, state};
    static_cast<void>(run(any_k<after_top_k>{}, again, value(logits, 2, 4)));
    CHECK(calls == 1);
    CHECK(ids_of(again) == recorded);
    CHECK(list_of(again.report.kept) == std::vector<index_t>{0, 1, 1, 2});
  });
}
