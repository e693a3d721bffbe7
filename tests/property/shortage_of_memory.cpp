// SPDX-License-Identifier: Apache-2.0
// Every allocation of a training step fails once, and from it on all that follow: a typed error on every rank, nobody
// waits for ever, and nothing is lost (which a sanitizer sees).
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/host/lane.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;
using namespace support;

namespace {

constexpr long all_that_follow = LONG_MAX;

/// How the step ended for a rank.
struct ending {
  bool threw = false, typed = false;
  error_kind kind = error_kind::io;
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
template <class Style>
bool run_short(split_of const& split, moe_data const& data, shortage const& what, bool with_lane,
               std::vector<ending>& endings) {
  endings.assign(static_cast<std::size_t>(split.ranks), {});
  long const before = refused_allocations();
  host::thread_world world{split.ranks, {.deadline = std::chrono::seconds{10}}};
  auto const grid = split.grid();
  try {
    host::run(world, [&](host::thread_communicator& rank) {
      routed_tools tools{rank, grid, 1};
      routed_part<float> part{data, grid, tools.rank, false};
      auto const width = data.x[1];
      std::vector<float> const shared(static_cast<std::size_t>(6 * width), 0.5F);
      part.parameters.weights.shared = {{.weight = matrix_of(shared, 6, width), .full_out = 6, .full_in = width},
                                        {.weight = matrix_of(shared, width, 3), .full_out = width, .full_in = 3}};
      host::reference_gemm gemm;
      host::workspace beside;
      host::lane lane{gemm, beside};
      using lane_execution = host::execution<host::reference_gemm, typename routed_tools::groups_type, decltype(lane)>;
      lane_execution execution{tools.gemm, tools.groups, tools.scratch, 1, lane};
      auto& mine = endings[static_cast<std::size_t>(tools.rank)];
      auto const step = [&](auto& on) {
        static_cast<void>(
            whole_step<Style, etp, ep>(on, part.parameters.weights, part.in(data), part.state, [] { return 0U; }));
      };
      try {
        rank.barrier();
        bool const own = what.who == tools.rank;
        if (own || (what.who < 0 && tools.rank == 0))
          refuse_allocations(own ? refuse_to::this_thread : refuse_to::everybody, what.first, what.count);
        if (with_lane) step(execution);
        else step(tools.execution);
        rank.barrier();  // who is done hears of those who are not
        if (own || what.who < 0) refuse_no_allocation();
      } catch (error const& problem) {
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
std::string wrong_in(std::vector<ending> const& endings, int who) {
  bool any_short = false;
  for (std::size_t rank = 0; rank < endings.size(); ++rank) {
    ending const& each = endings[rank];
    std::string const name = "rank " + std::to_string(rank);
    if (!each.threw) return name + " did not notice";
    if (!each.typed) return name + " threw what is not an error of the library";
    bool const is_short = each.kind == error_kind::workspace;
    any_short = any_short || is_short;
    bool const is_told = each.kind == error_kind::peer_failed || each.kind == error_kind::poisoned;
    if (!is_short && !is_told) return name + " has an error of kind " + std::string{name_of(each.kind)};
    if (who >= 0 && is_short != (static_cast<int>(rank) == who)) return name + " has the error of another";
    if (who >= 0 && is_told && each.culprit != who) return name + " blames " + std::to_string(each.culprit);
  }
  return any_short ? "" : "nobody was short of memory";
}

template <class Style>
void check_every_allocation(bool with_lane = false) {
  moe_data const data = make_moe({.tokens = 9, .width = 6, .ffn = 5, .experts = 4, .slots = 2});
  for (split_of const& split : {split_of{1, 1, 1, 1}, split_of{2, 1, 2, 1}, split_of{4, 1, 2, 2}}) {
    for (int who = -1; who < split.ranks; ++who) {
      for (long const count : {1L, all_that_follow}) {
        std::vector<ending> endings;
        shortage what{who, 0, count};
        for (; run_short<Style>(split, data, what, with_lane, endings); ++what.first) {
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

}  // namespace

TEST_CASE("rows that are exchanged") {
  check_every_allocation<dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>>();
}
TEST_CASE("rows that are stored directly") {
  check_every_allocation<dispatched_layer<direct_dispatcher<>, weight_at::output>>();
}
TEST_CASE("a shared expert on the second lane") {
  using layer =
      with_shared<dispatched_layer<all_to_all_dispatcher<>, weight_at::output>, shared_expert<sequence<glu<silu>>>>;
  check_every_allocation<layer>(true);
}
