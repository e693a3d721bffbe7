// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/routing.hpp>

#include <doctest/doctest.h>
#include <heddle/mesh/group.hpp>
#include <vector>

using namespace heddle;

TEST_CASE("routing: a new choice forgets what the one before had led to") {
  std::vector<std::int32_t> const ids{1, 0, 2, -1};
  std::vector<index_t> const counts{1, 1, 1};
  routing<> of_step;
  of_step.expert_rows = of_step.sent = of_step.received = of_step.chunks = counts;
  of_step.row_to_token = {ids.data(), extents<tokens>{3}};
  of_step.ordered = of_step.exchanged = of_step.gathered = true;
  of_step.begin({ids.data(), extents<tokens, slots>{2, 2}}, 3);
  CHECK(of_step.ids.data() == ids.data());
  CHECK(of_step.experts == 3);
  CHECK((of_step.expert_rows.empty() && of_step.sent.empty() && of_step.received.empty() && of_step.chunks.empty()));
  CHECK(of_step.row_to_token.count() == 0);
  CHECK_FALSE((of_step.ordered || of_step.exchanged || of_step.gathered));
}

TEST_CASE("step_state: a copy is the state as it was; inputs and report are apart from the routing") {
  std::vector<index_t> const rows{2, 3};
  std::vector<index_t> const others{4, 1};
  step_state<> state;
  state.inputs.first_token = 7;
  state.remember_rows<tp>(rows);
  step_state<> const before = state;
  state.remember_rows<tp>(others);
  state.report.aux = 2;
  state.routing.begin({}, 5);
  CHECK(state.inputs.first_token == 7);
  CHECK(state.report.aux == 2);
  CHECK(before.rows_of<tp>()[0] == 2);
  CHECK(state.rows_of<tp>()[0] == 4);
  CHECK(before.routing.experts == 0);
  CHECK(before.rows_of<dp>().empty());
}

TEST_CASE("step_state: what is known of tokens is not known of their copies") {
  std::vector<index_t> const tokens_of{2, 3};
  std::vector<index_t> const copies_of{4, 1};
  step_state<> state;
  state.remember_rows<etp>(tokens_of);
  state.routing.copies = true;
  CHECK(state.rows_of<etp>().empty());
  state.remember_rows<etp>(copies_of);
  CHECK(state.rows_of<etp>()[0] == 4);
  state.routing.copies = false;
  CHECK(state.rows_of<etp>()[0] == 2);
}
