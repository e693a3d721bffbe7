// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_regrid.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

TEST_CASE("tokens replicated over tp are split on the way in and whole again on the way back") {
  in_frames<tp, dp>(mesh<tp, dp>{2, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    list const x = table(5, 2, 5 * (rank / 2));
    auto const inside = run(regrid<>{}, frame, value(x, 5, 2));
    CHECK(read(inside) == table(rank % 2 == 0 ? 3 : 2, 2, 5 * (rank / 2) + 3 * (rank % 2)));
    CHECK(read(run(regrid_back<>{}, frame, inside)) == x);
  });
}

TEST_CASE("fewer tokens than ranks, and none") {
  in_frames<tp>(mesh<tp>{4}, std::tuple<>{}, [](auto& frame, int rank) {
    list const x = table(2, 3);
    auto const inside = run(regrid<>{}, frame, value(x, 2, 3));
    CHECK(inside.data.template size<tokens>() == (rank < 2 ? 1 : 0));
    CHECK(read(run(regrid_back<>{}, frame, inside)) == x);
  });
  in_frames<tp>(mesh<tp>{3}, std::tuple<>{}, [](auto& frame, int) {
    auto const inside = run(regrid<>{}, frame, value({}, 0, 3));
    CHECK(run(regrid_back<>{}, frame, inside).data.count() == 0);
  });
}

TEST_CASE("tokens that are sharded already only change their label") {
  in_frames<tp>(mesh<tp>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    using change = regrid<dense_mesh, expert_mesh, sharded<tokens, as_given>>;
    list const x = table(1 + rank, 2);
    auto const inside = run(change{}, frame, value(x, 1 + rank, 2));
    CHECK(inside.data.data() == x.data());
    CHECK(run(change::conjugate{}, frame, inside).data.data() == x.data());
    CHECK(frame.template communicator<tp>().bytes_sent() == 0);
  });
}
