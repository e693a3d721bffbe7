// SPDX-License-Identifier: Apache-2.0
// A training step in which one allocation fails, or all from one on.
#pragma once

#include "workspace_trial.hpp"

#include <climits>
#include <doctest/doctest.h>
#include <heddle/host/lane.hpp>

namespace support {

inline constexpr long all_that_follow = LONG_MAX;

/// How the step ended for a rank.
struct ending {
  bool threw = false, typed = false;
  heddle::error_kind kind = heddle::error_kind::io;
  int culprit = -1;
};

/// Which allocation fails: number `first` of rank `who`, or of the whole program (-1), and `count` - 1 after it.
struct shortage {
  int who = 0;
  long first = 0, count = 1;
  [[nodiscard]] std::string text() const {
    return "rank " + std::to_string(who) + ", allocation " + std::to_string(first) +
           (count > 1 ? " and all others" : "");
  }
};

/// One cold step on every rank; whether any allocation was refused.
template <class Style, class Gemm = heddle::host::reference_gemm, class Prepare = nothing_to_prepare>
bool run_short(split_of const& split, moe_data const& data, shortage const& what, bool with_lane,
               std::vector<ending>& endings, Prepare const& prepare = {}) {
  endings.assign(static_cast<std::size_t>(split.ranks), {});
  long const before = refused_allocations();
  heddle::host::thread_world world{split.ranks, {.deadline = std::chrono::seconds{10}}};
  auto const grid = split.grid();
  try {
    heddle::host::run(world, [&](heddle::host::thread_communicator& rank) {
      routed_tools tools{rank, grid, 1};
      routed_part<float> part{data, grid, tools.rank, false};
      auto const width = data.x[1];
      std::vector<float> const shared(static_cast<std::size_t>(6 * width), 0.5F);
      part.parameters.weights.shared = {{.weight = matrix_of(shared, 6, width), .full_out = 6, .full_in = width},
                                        {.weight = matrix_of(shared, width, 3), .full_out = width, .full_in = 3}};
      prepare(part, data, tools);
      Gemm gemm, lane_gemm;
      heddle::host::workspace beside;
      heddle::host::execution alone{gemm, tools.groups, tools.scratch};
      heddle::host::lane lane{lane_gemm, beside};
      heddle::host::execution execution{gemm, tools.groups, tools.scratch, 1, lane};
      auto& mine = endings[static_cast<std::size_t>(tools.rank)];
      auto const step = [&](auto& on) {
        static_cast<void>(whole_step<Style, heddle::etp, heddle::ep, heddle::edp>(
            on, part.parameters.weights, part.in(data), part.state, [] { return 0U; }));
      };
      try {
        rank.barrier();
        bool const own = what.who == tools.rank;
        if (own || (what.who < 0 && tools.rank == 0))
          refuse_allocations(own ? refuse_to::this_thread : refuse_to::everybody, what.first, what.count);
        if (with_lane) step(execution);
        else step(alone);
        rank.barrier();  // who is done hears of those who are not
        if (own || what.who < 0) refuse_no_allocation();
      } catch (heddle::error const& problem) {
        if (what.who == tools.rank) refuse_no_allocation();
        mine = {true, true, problem.kind(), problem.culprit()};
        throw;
      } catch (...) {
        if (what.who == tools.rank) refuse_no_allocation();
        mine.threw = true;
        throw;
      }
    });
  } catch (std::exception const&) {}  // every rank has said how it ended
  refuse_no_allocation();
  return refused_allocations() > before;
}

/// What is wrong with how a step ended in which something was refused.
inline std::string wrong_in(std::vector<ending> const& endings, int who) {
  bool any_short = false;
  for (std::size_t rank = 0; rank < endings.size(); ++rank) {
    ending const& each = endings[rank];
    std::string const name = "rank " + std::to_string(rank);
    if (!each.threw) return name + " did not notice";
    if (!each.typed) return name + " threw what is not an error of the library";
    bool const is_short = each.kind == heddle::error_kind::workspace;
    any_short = any_short || is_short;
    bool const is_told = each.kind == heddle::error_kind::peer_failed || each.kind == heddle::error_kind::poisoned;
    if (!is_short && !is_told) return name + " has an error of kind " + std::string{heddle::name_of(each.kind)};
    if (who >= 0 && is_short != (static_cast<int>(rank) == who)) return name + " has the error of another";
    if (who >= 0 && is_told && each.culprit != who) return name + " blames " + std::to_string(each.culprit);
  }
  return any_short ? "" : "nobody was short of memory";
}

/// Every allocation of a step on these meshes. `prepare(part, data, tools)` may change a rank's part.
template <class Style, class Gemm = heddle::host::reference_gemm, class Prepare = nothing_to_prepare>
void check_every_allocation(std::vector<split_of> const& splits, bool with_lane = false, Prepare const& prepare = {}) {
  moe_data const data = make_moe({.tokens = 9, .width = 6, .ffn = 5, .experts = 4, .slots = 2});
  for (split_of const& split : splits) {
    for (int who = -1; who < split.ranks; ++who) {
      for (long const count : {1L, all_that_follow}) {
        std::vector<ending> endings;
        shortage what{who, 0, count};
        for (; run_short<Style, Gemm>(split, data, what, with_lane, endings, prepare); ++what.first) {
          std::string const wrong = wrong_in(endings, who);
          CHECK_MESSAGE(wrong == "", split.text() << ", " << what.text());
          if (!wrong.empty()) break;
        }
        CHECK_MESSAGE(what.first >= 5, split.text() << ", " << what.text());
        for (ending const& each : endings) CHECK(!each.threw);
      }
    }
  }
}

}  // namespace support
