// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_padding.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using fours = aligned<4>;
using in = pad_rows<ep, fours>;
using out = unpad_rows<ep, fours>;

}  // namespace

TEST_CASE("every expert gets a multiple of rows, zeros behind its own; an expert without rows gets none") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<index_t> const counts{1, 0, 5, 4};
    frame.routing.expert_rows = counts;
    CHECK(read(detail::padded_rows<fours>(frame)) == std::vector<index_t>{4, 0, 8, 4});
    CHECK(detail::padded_rows<grouped>(frame).data() == counts.data());
    list const x = table(10, 2, 1);
    auto const y = run(in{}, frame, value(x, 10, 2, 6));
    CHECK(y.full_hidden == 6);
    CHECK(y.data.template size<tokens>() == 16);
    list expected(32);
    auto const row = [&](std::size_t to, float first) { expected[2 * to] = first, expected[2 * to + 1] = first + 1; };
    row(0, 10);
    for (std::size_t i = 0; i < 5; ++i) row(4 + i, 20.0F + 10.0F * static_cast<float>(i));
    for (std::size_t i = 0; i < 4; ++i) row(12 + i, 70.0F + 10.0F * static_cast<float>(i));
    CHECK(read(y) == expected);
    CHECK(read(run(out{}, frame, y)) == x);
    CHECK(read(frame.routing.expert_rows) == counts);  // who comes later pads by the same counts
  });
}

TEST_CASE("weights of rows go the same way, zero in the gaps") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<index_t> const counts{2, 3};
    frame.routing.expert_rows = counts;
    list const w{1, 2, 3, 4, 5};
    auto const y = run(in{}, frame, row_gates<>{{w.data(), extents<tokens>{5}}});
    CHECK(read(y) == list{1, 2, 0, 0, 3, 4, 5, 0});
    CHECK(read(run(out{}, frame, y)) == w);
  });
}

TEST_CASE("rows that pass 32-bit numbers, if only with their gaps, are refused before any is made") {
  support::on_ranks<ep>(mesh<ep>{1}, 1, [](auto& tools) {
    host::workspace bounded{1 << 20};
    host::execution execution{tools.gemm, tools.groups, bounded};
    step_state<> state;
    std::tuple<> const weights;
    frame frame{execution, weights, state};
    std::vector<index_t> const counts{(index_t{1} << 31) - 5, 1};  // 2^31 - 4, padded, and 4
    frame.routing.expert_rows = counts;
    try {
      static_cast<void>(run(in{}, frame, value({}, 0, 3)));
      FAIL_CHECK("2^31 rows were numbered");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::argument);
      CHECK(problem.text() == "2147483648 rows do not fit a 32-bit row number");
    }
  });
}

TEST_CASE("no rows, and no experts") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<index_t> const counts{0, 0};
    frame.routing.expert_rows = counts;
    CHECK(read(run(in{}, frame, value({}, 0, 3))).empty());
    frame.routing.expert_rows = std::span<index_t const>{};
    CHECK(read(run(in{}, frame, value({}, 0, 3))).empty());
  });
}

TEST_CASE("what stands in the gaps is cleared where a mode has gaps") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<index_t> const counts{1, 2};
    frame.routing.expert_rows = counts;
    list y(8, 7.0F);
    rows<float> const view{y.data(), extents<tokens, hidden>{8, 1}};
    detail::clear_gaps<sequential>(frame, view);
    CHECK(y == list(8, 7.0F));
    detail::clear_gaps<fours>(frame, view);
    CHECK(y == list{7, 0, 0, 0, 7, 7, 0, 0});
  });
}
