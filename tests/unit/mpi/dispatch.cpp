// SPDX-License-Identifier: Apache-2.0
// Dispatchers between processes give the bits that they give between threads, whichever way rows are stored.
#include <heddle/mpi/run.hpp>

#include "../../support/dispatch_trial.hpp"
#include "../../support/mpi_world.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>

using namespace heddle;
using namespace support;

namespace {

template <class Style>
void check(dispatch_inputs const& told = {}) {
  moe_data const data = make_moe({.tokens = 17, .experts = 6}, 4);
  for (split_of const& split : expert_splits()) {
    if (split.ranks != test_world().size()) continue;
    CAPTURE(split.text());
    dispatched_ranks const model = dispatch_step<Style>(split, data, told);
    dispatched const& expected = model.ranks[static_cast<std::size_t>(test_world().rank())];
    for (mpi::put_mode const mode : {mpi::put_mode::automatic, mpi::put_mode::always_mpi}) {
      auto world = test_world().split(0, 0);
      world.transport().set_put(mode);
      dispatched_ranks got = model;
      got.ranks[static_cast<std::size_t>(world.rank())] = dispatch_on<Style>(world, split, data, told, got.problem);
      CHECK(unlike(got, model, split) == "");
      dispatched const& own = got.ranks[static_cast<std::size_t>(world.rank())];
      CHECK(own.bytes == expected.bytes);
      CHECK(own.dropped == expected.dropped);
      CHECK(own.overflow.needed == expected.overflow.needed);
    }
  }
}

using reported = direct_dispatcher<ep, etp, on_overflow::report>;

}  // namespace

TEST_CASE("direct between processes") { check<dispatched_layer<direct_dispatcher<>, weight_at::activation>>(); }
TEST_CASE("direct between processes, with little room") {
  check<dispatched_layer<reported, weight_at::origin>>({.room = 5});
}
TEST_CASE("tokens once a rank between processes, by stores") {
  check<dispatched_layer<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>, weight_at::output>>();
}
TEST_CASE("tokens once a rank between processes, by exchanges") {
  check<dispatched_layer<all_to_all_dispatcher<ep, etp, deduplicated>, weight_at::origin>>();
}
TEST_CASE("flex between processes, by stores") {
  check<dispatched_layer<flex_dispatcher<ep, etp, by_direct<>>, weight_at::origin>>();
}
