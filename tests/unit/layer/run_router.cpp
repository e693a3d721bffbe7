// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_router.hpp>

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

using after_top_k = kernel::top_k_then_softmax;

}  // namespace

TEST_CASE("mask_routing keeps the own experts of ceil pieces: 5 over 3 is 2 2 1") {
  moe_weights<float> weights{};
  weights.top_k = 5;
  in_frames<ep>(mesh<ep>{3}, weights, [](auto& frame, int rank) {
    list const logits{5, 4, 3, 2, 1};
    auto const all = weights_of(run(choose<after_top_k, static_cast<int>(dynamic)>{}, frame, value(logits, 1, 5)));
    auto const own = weights_of(run(mask_routing<ep>{}, frame, gates<>{{all.data(), extents<tokens, slots>{1, 5}}}));
    std::vector<std::int32_t> const ids[] = {{0, 1, -1, -1, -1}, {-1, -1, 2, 3, -1}, {-1, -1, -1, -1, 4}};
    CHECK(ids_of(frame) == ids[rank]);
    for (std::size_t slot = 0; slot < 5; ++slot) CHECK(own[slot] == (ids[rank][slot] < 0 ? 0 : all[slot]));
    CHECK(frame.routing.experts == 5);
  });
}

TEST_CASE("own_experts: as ceil pieces, empty behind the last expert") {
  in_frames<ep>(mesh<ep>{4}, moe_weights<float>{}, [](auto& frame, int rank) {
    frame.routing.experts = 5;
    range const expected[] = {{0, 2}, {2, 2}, {4, 1}, {5, 0}};
    CHECK(own_experts<ep>(frame) == expected[rank]);
  });
}

TEST_CASE("gate_scale multiplies rows, in place only where they are scratch") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    list const w{2, -1};
    row_gates<> const weights{{w.data(), extents<tokens>{2}}};
    auto const y = run(gate_scale<>{}, frame, value(x, 2, 2), weights);
    CHECK(read(y) == list{2, 4, -3, -4});
    CHECK(x[0] == 1);
    auto const z = run(gate_scale<>{}, frame, y, weights);
    CHECK(z.data.data() == y.data.data());
    CHECK(read(z) == list{4, 8, 3, 4});
  });
}

TEST_CASE("weights of tokens wait for the sum over copies") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const x{1, 2};
    list const w{5, 6};
    auto const pair = run(gate_scale<>{}, frame, value(x, 2, 1), gates<>{{w.data(), extents<tokens, slots>{1, 2}}});
    CHECK(pair.copies.data.data() == x.data());
    CHECK(pair.weights.data() == w.data());
  });
}

namespace {

template <class Gates>
list numbers_of(Gates g) {
  return {g.weights.data(), g.weights.data() + g.weights.count()};
}

}  // namespace

TEST_CASE("mask_routing: a weight that was masked has no gradient") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids{2, 0, 1, -1};  // three experts: 0 and 1 here, 2 there
    extents<tokens, slots> const shape{2, 2};
    frame.routing.begin({ids.data(), shape}, 3);
    list const w{1, 2, 3, 4};
    auto const masked = run(mask_routing<ep>{}, frame, gates<>{{w.data(), shape}, {ids.data(), shape}});
    list const dy{10, 20, 30, 40};
    auto const dx = run(mask_routing_grad<ep>{}, frame, kept<gates<>>{{masked}}, gates<>{{dy.data(), shape}});
    list const expected[] = {{0, 20, 30, 0}, {10, 0, 0, 0}};
    CHECK(numbers_of(dx) == expected[rank]);
    CHECK(dx.ids.count() == 0);
  });
}

TEST_CASE("gate_scale: rows get the weight times the gradient, weights the product of row and gradient") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    list const w{2, -1};
    list const dy{10, 20, 30, 40};
    row_gates<> const weights{{w.data(), extents<tokens>{2}}};
    kept<activation<float const>, row_gates<>> const saved{{value(x, 2, 2), weights}};
    auto const [dx, dw] = run(gate_scale_grad<>{}, frame, saved, value(dy, 2, 2));
    CHECK(read(dx) == list{20, 40, -30, -40});
    CHECK(numbers_of(dw) == list{1 * 10 + 2 * 20, 3 * 30 + 4 * 40});
    CHECK(dy == list{10, 20, 30, 40});
    // Over scratch in place: the weights' gradient is taken from what was there.
    auto const again = detail::writable(frame, value(dy, 2, 2));
    auto const [dx2, dw2] = run(gate_scale_grad<>{}, frame, saved, again);
    CHECK(dx2.data.data() == again.data.data());
    CHECK(read(dx2) == read(dx));
    CHECK(numbers_of(dw2) == numbers_of(dw));
  });
}

TEST_CASE("gate_scale at home: gradients at the (token, slot) of each copy, zero where there is none") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const row_of{1, -1, 2, 0};
    extents<tokens, slots> const shape{2, 2};
    frame.routing.slot_to_row = {row_of.data(), shape};
    list const x{1, 2, 3};
    list const w{5, 6, 7, 8};
    list const dy{10, 20, 30};
    kept<activation<float const>, gates<>> const saved{{value(x, 3, 1), gates<>{{w.data(), shape}}}};
    auto const [dx, dw] = run(gate_scale_grad<>{}, frame, saved, value(dy, 3, 1));
    CHECK(read(dx) == list{8 * 10, 5 * 20, 7 * 30});
    CHECK(numbers_of(dw) == list{2 * 20, 0, 3 * 30, 1 * 10});
  });
}
