// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_identity.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>

using namespace heddle;
using namespace numbers;

namespace {

gates<> chosen(list const& w, std::vector<std::int32_t> const& ids) {
  extents<tokens, slots> const shape{static_cast<index_t>(ids.size()) / 2, 2};
  return {{w.data(), shape}, {ids.data(), shape}};
}

}  // namespace

TEST_CASE("the dispatch sees the real experts, and what the others give is at home") {
  moe_weights<float> weights{};
  weights.fc1.full_experts = 2;
  in_frames<ep>(mesh<ep>{1}, weights, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    list const w{0.5F, 2, 1, 4};
    std::vector<std::int32_t> const ids{1, 3, 2, 5};
    route(frame, ids, 2, 6);
    frame.routing.ordered = true;
    auto const [same, left, y] = run(identity_experts<>{}, frame, value(x, 2, 2, 8), chosen(w, ids));
    CHECK(same.data.data() == x.data());
    CHECK(left.weights.data() == w.data());
    CHECK(read(y) == list{2, 4, 15, 20});
    CHECK(y.full_hidden == 8);
    CHECK(frame.routing.experts == 2);
    CHECK(!frame.routing.ordered);
    std::vector<std::int32_t> const expected{1, -1, -1, -1};
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(left.ids.data()[i] == expected[i]);
      CHECK(frame.routing.ids.data()[i] == expected[i]);
    }

    list const dy{1, -1, 2, 0};
    list const dx{100, 200, 300, 400};
    list const dw{7, 8, 9, 10};
    kept<activation<float const>, gates<>> const saved{{value(x, 2, 2), chosen(w, ids)}};
    auto const [dtokens, dweights] =
        run(identity_experts_grad<>{}, frame, saved, value(dx, 2, 2), gates_of(dw, 2), value(dy, 2, 2));
    CHECK(read(dtokens) == list{102, 198, 310, 400});
    CHECK(list(dweights.weights.data(), dweights.weights.data() + 4) == list{7, -1, 6, 6});
    CHECK(dx[0] == 100);
  });
}
