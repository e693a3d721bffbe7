// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_drop.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using ids_list = std::vector<std::int32_t>;

// Four tokens with two slots; expert 1 has four choices, expert 0 three, expert 2 one. An even share is 8 / 3.
ids_list const ids{1, 0, 0, 1, 1, 2, 1, 0};
list const shares{0.5F, 0.1F, 0.9F, 0.5F, 0.7F, 0.3F, 0.2F, 0.8F};

gates<> chosen() { return {{shares.data(), extents<tokens, slots>{4, 2}}}; }
list read(gates<> g) { return {g.weights.data(), g.weights.data() + g.weights.count()}; }
using numbers::read;
ids_list ids_of(slot_view<std::int32_t const> view) { return {view.data(), view.data() + view.count()}; }

moe_weights<float> with(double factor, index_t least = 0) {
  moe_weights<float> weights{};
  weights.options.capacity_factor = factor;
  weights.options.least_capacity = least;
  return weights;
}

}  // namespace

TEST_CASE("an expert keeps its largest weights, or its first tokens, and the caller's choices stay as they are") {
  in_frames<ep>(mesh<ep>{1}, with(0.6), [](auto& frame, int) {  // ceil(8 / 3 * 0.6) = 2
    route(frame, ids, 2, 3);
    auto const best = run(drop<drop_by::probability>{}, frame, chosen());
    CHECK(ids_of(best.ids) == ids_list{1, -1, 0, -1, 1, 2, -1, 0});  // of two weights 0.5 the first stays
    CHECK(read(best) == list{0.5F, 0, 0.9F, 0, 0.7F, 0.3F, 0, 0.8F});
    CHECK(frame.routing.ids.data() == best.ids.data());
    CHECK(read(frame.report.kept) == std::vector<index_t>{2, 2, 1});
    CHECK(read(frame.report.dropped) == std::vector<index_t>{1, 2, 0});
    CHECK(shares[1] == 0.1F);
    CHECK(ids[1] == 0);
    route(frame, ids, 2, 3);
    frame.routing.ordered = false;
    auto const first = run(drop<drop_by::position>{}, frame, chosen());
    CHECK(ids_of(first.ids) == ids_list{1, 0, 0, 1, -1, 2, -1, -1});
    CHECK(frame.routing.capacity == 0);
  });
}

TEST_CASE("what was dropped has no gradient") {
  in_frames<ep>(mesh<ep>{1}, with(0.6), [](auto& frame, int) {
    route(frame, ids, 2, 3);
    auto const best = run(drop<drop_by::probability>{}, frame, chosen());
    list const ones(8, 1.0F);
    kept<gates<>> const saved{{best}};
    auto const dx = run(drop<drop_by::probability>::conjugate{}, frame, saved,
                        gates<>{{ones.data(), extents<tokens, slots>{4, 2}}});
    CHECK(read(dx) == list{1, 0, 1, 0, 1, 1, 0, 1});
  });
}

TEST_CASE("padding tokens take no room and make none") {
  std::vector<std::int32_t> const masked{1, 0, -1, -1, -1, -1, 1, 0};
  bool const padding[] = {false, true, true, false};
  support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
    step_state<> state;
    state.inputs.padding = {padding, extents<tokens>{4}};
    auto const weights = with(0.75);  // ceil(4 / 3 * 0.75) = 1, and 2 if all four counted
    frame frame{tools.execution, weights, state};
    route(frame, masked, 2, 3);
    CHECK(ids_of(run(drop<drop_by::position>{}, frame, chosen()).ids) == ids_list{1, 0, -1, -1, -1, -1, -1, -1});
    CHECK(read(state.report.dropped) == std::vector<index_t>{1, 1, 0});
  });
}

TEST_CASE("a capacity has a minimum, and must be one") {
  in_frames<ep>(mesh<ep>{1}, with(0.1, 4), [](auto& frame, int) {
    route(frame, ids, 2, 3);
    CHECK(ids_of(run(drop<drop_by::position>{}, frame, chosen()).ids) == ids);
  });
  in_frames<ep>(mesh<ep>{1}, with(0), [](auto& frame, int) {
    route(frame, ids, 2, 3);
    CHECK_THROWS_AS(static_cast<void>(run(drop<drop_by::position>{}, frame, chosen())), error);
  });
  in_frames<ep>(mesh<ep>{1}, with(1, index_t{1} << 30), [](auto& frame, int) {
    route(frame, ids, 2, 3);
    using padded = drop<drop_by::position, expert_room::to_capacity>;
    static_cast<void>(run(padded{}, frame, chosen()));
    CHECK_THROWS_AS(static_cast<void>(run(permute<ep>{}, frame, value(list{1, 2, 3, 4}, 4, 1))), error);
  });
}

TEST_CASE("padded to capacity: every expert has as many rows, also more than there are tokens") {
  in_frames<ep>(mesh<ep>{1}, with(2), [](auto& frame, int) {  // ceil(16 / 3) = 6 of 4 tokens
    route(frame, ids, 2, 3);
    auto const all = run(drop<drop_by::probability, expert_room::to_capacity>{}, frame, chosen());
    CHECK(ids_of(all.ids) == ids);
    list const x{1, 2, 3, 4};
    auto const rows = run(permute<ep>{}, frame, value(x, 4, 1));
    CHECK(read(rows) == list{1, 2, 4, 0, 0, 0, 1, 2, 3, 4, 0, 0, 3, 0, 0, 0, 0, 0});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{6, 6, 6});
    CHECK(read(run(permute<ep>{}, frame, all))[6] == 0.5F);
    CHECK(read(run(unpermute<ep>{}, frame, rows)) == list{2, 4, 6, 8});
  });
}

TEST_CASE("no tokens") {
  in_frames<ep>(mesh<ep>{1}, with(1), [](auto& frame, int) {
    route(frame, {}, 2, 3);
    auto const none = run(drop<drop_by::probability, expert_room::to_capacity>{}, frame,
                          gates<>{{shares.data(), extents<tokens, slots>{0, 2}}});
    CHECK(none.weights.count() == 0);
    CHECK(read(frame.report.kept) == std::vector<index_t>{0, 0, 0});
  });
}
