// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/store_rows.hpp>

#include "routed.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

TEST_CASE(
    "rows of bins of any kind go to all parts of an owner, several numbers a row, and what comes home is summed") {
  in_frames<etp, ep, both>(mesh<etp, ep>{2, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids(2, 0);
    route(frame, ids, 1, 1);  // two tokens
    std::vector<index_t> const first_bin{0, 1, 2};
    // Rank r sends one row to owner 0 and r % 2 rows to owner 1.
    std::vector<index_t> const own{1, rank % 2};
    detail::store_plan const plan{.parts = 2, .first_bin = first_bin, .own_rows = own, .per_token = 1};
    std::vector<std::int32_t> x;
    for (int i = 0; i < 1 + rank % 2; ++i) x.insert(x.end(), {100 * rank + i, -100 * rank - i});
    auto const y = detail::store_there<both, on_overflow::error>(frame, plan, std::span<std::int32_t const>{x}, 2);
    // Sources count the ranks of part 0 first.
    std::vector<std::int32_t> const expected = rank < 2
                                                   ? std::vector<std::int32_t>{0, 0, 200, -200, 100, -100, 300, -300}
                                                   : std::vector<std::int32_t>{101, -101, 301, -301};
    CHECK(std::vector<std::int32_t>(y.begin(), y.end()) == expected);
    CHECK(frame.routing.room == 4 * 2 * 1);
    std::vector<float> results;
    for (std::int32_t const number : y) results.push_back(static_cast<float>(number + 1 + rank % 2));
    auto const home = detail::store_home<both>(frame, plan, std::span<float const>{results}, 2);
    std::vector<float> sums;
    for (std::int32_t const number : x) sums.push_back(static_cast<float>(2 * number + 3));
    CHECK(std::vector<float>(home.begin(), home.end()) == sums);
  });
}

TEST_CASE("nobody has a row") {
  in_frames<etp, ep, both>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids;
    route(frame, ids, 1, 1);
    std::vector<index_t> const first_bin{0, 1, 1};
    std::vector<index_t> const own{0};
    detail::store_plan const plan{.first_bin = first_bin, .own_rows = own, .per_token = 1};
    CHECK(detail::store_there<both, on_overflow::error>(frame, plan, std::span<float const>{}, 3).empty());
    CHECK(detail::store_home<both>(frame, plan, std::span<float const>{}, 3).empty());
    CHECK(!frame.report.overflow);
  });
}

TEST_CASE("a minus zero comes home as it was where nothing is summed") {
  in_frames<etp, ep, both>(mesh<etp, ep>{1, 1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{0};
    route(frame, ids, 1, 1);
    std::vector<index_t> const first_bin{0, 1};
    std::vector<index_t> const own{1};
    detail::store_plan const plan{.first_bin = first_bin, .own_rows = own, .per_token = 1};
    std::vector<float> const x{-0.0F};
    auto const y = detail::store_there<both, on_overflow::error>(frame, plan, std::span<float const>{x}, 1);
    auto const home = detail::store_home<both>(frame, plan, std::span<float const>{y}, 1);
    CHECK(std::signbit(y[0]));
    CHECK(std::signbit(home[0]));
  });
}
