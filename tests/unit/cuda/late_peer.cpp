// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/late_peer.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("late_peer: who waits, for whom and for what") {
  kernel::late_peer late;
  CHECK_NOTHROW(cuda::check_late(late, 500));
  late = {static_cast<std::uint64_t>(kernel::store_stage::stored), 1, 3, 7};
  try {
    cuda::check_late(late, 500);
    FAIL("nobody was late");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::timeout);
    CHECK(problem.text() == "rank 1 has waited 500 ms for rank 3 to have stored its rows");
    CHECK(problem.rank() == 1);
    CHECK(problem.culprit() == 3);
    CHECK(problem.operation() == "fence");
    CHECK(problem.sequence() == 7);
  }
  late.stage = static_cast<std::uint64_t>(kernel::store_stage::read);
  CHECK_THROWS_WITH(cuda::check_late(late, 500), doctest::Contains("for rank 3 to have read what was stored before"));
}
