// SPDX-License-Identifier: Apache-2.0
// direct on every grid of experts, forward and backward: the bits of all_to_all, and overflow.
#include "../support/dispatch_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>

using namespace heddle;
using namespace support;

namespace {

template <int Rows>
using by = direct_dispatcher<ep, etp, on_overflow::error, aligned_rows<Rows>>;

template <weight_at At, class Dispatcher = direct_dispatcher<>>
void check() {
  using style = dispatched_layer<Dispatcher, At>;
  for (moe_sizes const& sizes : dispatch_sizes()) {
    moe_data const data = make_moe(sizes, 5);
    for (split_of const& split : expert_splits())
      CHECK(unlike(dispatch_step<style>(split, data), model_step(At, split, data), split) == "");
  }
}

}  // namespace

TEST_CASE("direct, weights at the input: the bits of all_to_all") { check<weight_at::input>(); }
TEST_CASE("direct, weights at the activation: the bits of all_to_all") { check<weight_at::activation>(); }
TEST_CASE("direct, weights at the output: the bits of all_to_all") { check<weight_at::output>(); }
TEST_CASE("direct, weights at the origin: the bits of all_to_all") { check<weight_at::origin>(); }

TEST_CASE("direct and aligned, weights at the input: the bits of all_to_all") { check<weight_at::input, by<16>>(); }
TEST_CASE("direct and aligned, weights at the activation: the bits of all_to_all") {
  check<weight_at::activation, by<3>>();
}
TEST_CASE("direct and aligned, weights at the output: the bits of all_to_all") { check<weight_at::output, by<128>>(); }
TEST_CASE("direct and aligned, weights at the origin: the bits of all_to_all") { check<weight_at::origin, by<16>>(); }

TEST_CASE("direct and aligned: the gaps take room of the caller's") {
  moe_data const data = make_moe({.tokens = 24, .experts = 6, .slots = 2, .one_expert_takes_all = true}, 9);
  using refused = dispatched_layer<by<16>, weight_at::output>;
  for (split_of const& split : expert_splits()) {
    CAPTURE(split.text());
    auto const whole = dispatch_step<refused>(split, data);
    index_t needed = 0;
    for (dispatched const& rank : whole.ranks) needed = std::max(needed, rank.overflow.needed);
    CHECK(needed > 0);
    CHECK(needed % 16 == 0);
    CHECK(unlike(dispatch_step<refused>(split, data, {.room = needed + 15}), whole, split) == "");
    auto const none = dispatch_step<refused>(split, data, {.room = needed - 1});
    CHECK(none.problem.find("is to receive " + std::to_string(needed) + " rows and has room for " +
                            std::to_string(needed - 16)) != std::string::npos);
  }
}

TEST_CASE("direct: room for what is needed gives the same bits, less is refused by every rank or reported") {
  moe_data const data = make_moe({.tokens = 24, .experts = 6, .slots = 2, .one_expert_takes_all = true}, 9);
  using refused = dispatched_layer<direct_dispatcher<>, weight_at::output>;
  using reported = dispatched_layer<direct_dispatcher<ep, etp, on_overflow::report>, weight_at::output>;
  for (split_of const& split : expert_splits()) {
    CAPTURE(split.text());
    auto const whole = dispatch_step<refused>(split, data);
    // What the fullest rank needs, over all expert groups of the grid.
    index_t needed = 0;
    for (dispatched const& rank : whole.ranks) needed = std::max(needed, rank.overflow.needed);
    CHECK(needed > 0);
    CHECK(unlike(dispatch_step<refused>(split, data, {.most_tokens = 24, .room = needed}), whole, split) == "");
    CHECK(unlike(dispatch_step<reported>(split, data, {.room = needed}), whole, split) == "");
    auto const none = dispatch_step<refused>(split, data, {.room = needed - 1});
    CHECK(none.problem.find("is to receive " + std::to_string(needed) + " rows and has room for " +
                            std::to_string(needed - 1) + ": expert 5 is the first") != std::string::npos);
    auto const some = dispatch_step<reported>(split, data, {.room = needed - 1});
    CHECK(some.problem == "");
    CHECK(unlike(some, whole, split) != "");
    index_t lost = 0;
    for (dispatched const& rank : some.ranks) {
      for (index_t const count : rank.dropped) lost += count;
      if (!rank.overflow) continue;
      CHECK(rank.overflow.needed == needed);
      CHECK(rank.overflow.room == needed - 1);
      CHECK(rank.overflow.expert == 5);
    }
    CHECK(lost >= 1);
  }
}
