// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/beside.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/host/lane.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/run_collective.hpp>
#include <heddle/layer/saved_bytes.hpp>

using namespace heddle;
using namespace numbers;

namespace {

/// Where an operation ran, and which fail.
struct switches {
  int factor = 1;
  bool fails_beside = false, fails_here = false;
  mutable std::thread::id beside_ran{}, here_ran{};
};
struct scale_weights {
  using element_type = float;
  switches const* how;
};

template <bool Beside>
struct times_factor_back;
/// y = factor x. It may fail.
template <bool Beside>
struct times_factor : operation_base<"times_factor", placement<>, placement<>, times_factor_back<Beside>> {
  static constexpr keep keeps = keep::inputs;
};
template <bool Beside>
struct times_factor_back : operation_base<"times_factor_back", placement<>, placement<>, times_factor<Beside>> {};

template <bool Beside, class Frame>
activation<float> apply(Frame& frame, activation<float const> x) {
  switches const& how = *frame.weights().how;
  (Beside ? how.beside_ran : how.here_ran) = std::this_thread::get_id();
  if (Beside ? how.fails_beside : how.fails_here) throw error(error_kind::argument, "it fails", "do not");
  auto const y = frame.template scratch_rows<float>(x.data.template size<tokens>(), x.data.template size<hidden>());
  for (index_t i = 0; i < x.data.count(); ++i)
    y.data()[i] = static_cast<float>(Beside ? how.factor : 1) * x.data.data()[i];
  return {y, x.full_hidden};
}
template <bool Beside, class Frame>
auto run(times_factor<Beside>, Frame& frame, activation<float const> x) {
  return apply<Beside>(frame, x);
}
template <bool Beside, class Frame>
auto run(times_factor_back<Beside>, Frame& frame, kept<activation<float const>> const& saved,
         activation<float const> dy) {
  CHECK(std::get<0>(saved.values).data(0, 0) == 10);
  return apply<Beside>(frame, dy);
}

struct style {
  static constexpr fixed_string name = "times_factor";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<heddle::fork<sequence<beside<sequence<times_factor<true>>>>, sequence<times_factor<false>>>,
                           join<sequence<>, sequence<>>>;
  using backward = conjugate_t<forward>;
};

/// Without a branch beside.
struct plain {
  static constexpr fixed_string name = "plain";
  using weight = placement<>;
  using bias = placement<>;
  using forward = residual<sequence<times_factor<false>>>;
  using backward = conjugate_t<forward>;
};

/// `body(execution, x)` with x numbered from 10 on, on an execution whose lane may be missing.
template <class Body>
void on_lane(bool present, Body const& body) {
  host::reference_gemm gemm, gemm_of_lane;
  host::workspace scratch, scratch_of_lane;
  host::no_groups none;
  host::lane lane{gemm_of_lane, scratch_of_lane};
  host::execution with{gemm, none, scratch, 1, lane};
  decltype(with) without{gemm, none, scratch};
  list const x = table(2, 3, 1);
  host::workspace::scope const a{scratch}, b{scratch_of_lane};
  body(present ? with : without, value(x, 2, 3));
  CHECK(x == table(2, 3, 1));
}
list times(float factor, list numbers) {
  for (float& number : numbers) number *= factor;
  return numbers;
}

}  // namespace

TEST_CASE("beside: its own thread, forward and backward, and the same numbers as without a lane") {
  switches how{.factor = 4};
  for (bool const present : {true, false}) {
    on_lane(present, [&](auto& execution, activation<float const> x) {
      scale_weights const weights{&how};
      auto const check = [&] {
        CHECK((how.beside_ran != std::this_thread::get_id()) == present);
        CHECK(how.here_ran == std::this_thread::get_id());
        how.beside_ran = how.here_ran = {};
      };
      CHECK(read(infer<style>(execution, weights, x)) == times(5, table(2, 3, 1)));
      check();
      auto const [y, saved] = forward<style>(execution, weights, x);
      CHECK(read(y) == times(5, table(2, 3, 1)));
      check();
      CHECK(saved_bytes(saved) == 24);  // both branches kept the same input
      list const dy = table(2, 3, 7);
      auto const result = backward_data<style>(execution, weights, saved, value(dy, 2, 3));
      CHECK(read(result.dx) == times(5, dy));
      check();
    });
  }
}

TEST_CASE("beside: what a branch throws, the rank throws where the values meet, and the lane goes on") {
  for (bool const present : {true, false}) {
    on_lane(present, [&](auto& execution, activation<float const> x) {
      switches how{.fails_beside = true};
      scale_weights const weights{&how};
      CHECK_THROWS_AS(static_cast<void>(infer<style>(execution, weights, x)), error);
      how.fails_beside = false;
      auto const [y, saved] = forward<style>(execution, weights, x);
      CHECK(read(y) == times(2, table(2, 3, 1)));
      how.fails_beside = true;
      CHECK_THROWS_AS(static_cast<void>(backward_data<style>(execution, weights, saved, x)), error);
      how.fails_beside = false;
      CHECK(read(backward_data<style>(execution, weights, saved, x).dx) == times(2, table(2, 3, 1)));
    });
  }
}

TEST_CASE("beside: a rank that fails leaves its lane at rest, whatever the lane did") {
  on_lane(true, [&](auto& execution, activation<float const> x) {
    for (bool const both_fail : {false, true}) {
      switches how{.fails_beside = both_fail, .fails_here = true};
      scale_weights const weights{&how};
      for (int i = 0; i < 50; ++i) CHECK_THROWS_AS(static_cast<void>(infer<style>(execution, weights, x)), error);
      CHECK(how.beside_ran != std::thread::id{});  // it is not running any more
      execution.lane()->wait();                    // and has nothing more to say
    }
  });
}

TEST_CASE("beside: a step does not swallow what a job of the caller has thrown") {
  on_lane(true, [&](auto& execution, activation<float const> x) {
    switches const how{};
    scale_weights const weights{&how};
    auto job = [] { throw error(error_kind::shape, "it does not fit", "make it fit"); };
    execution.lane()->start(job);
    CHECK(read(infer<plain>(execution, weights, x)) == times(2, table(2, 3, 1)));
    CHECK_THROWS_AS(execution.lane()->wait(), error);
  });
}

namespace {

/// Ranks speak to each other beside the branch.
struct across {
  static constexpr fixed_string name = "across";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<heddle::fork<sequence<beside<sequence<times_factor<true>>>>,
                                        sequence<times_factor<false>, split<tp, tokens>, unsplit<tp, tokens>>>,
                           join<sequence<>, sequence<>>>;
  using backward = conjugate_t<forward>;
};

/// What each of three ranks hears in three steps, where rank 1 fails in the second.
std::vector<std::optional<error_kind>> heard(bool beside_fails, bool here_fails) {
  std::vector<std::optional<error_kind>> result(3);
  mesh<tp> const grid{3};
  host::thread_world world{3, {.deadline = std::chrono::seconds{30}}};
  try {
    host::run(world, [&](host::thread_communicator& communicator) {
      auto const rank = static_cast<std::size_t>(communicator.rank());
      support::rank_tools<mesh<tp>, tp> tools{communicator, grid, 1};
      host::reference_gemm gemm;
      host::workspace scratch;
      host::lane lane{gemm, scratch};
      host::execution execution{tools.gemm, tools.groups, tools.scratch, 1, lane};
      switches how{.factor = 4};
      scale_weights const weights{&how};
      list const x = table(5, 3, 1);
      try {
        for (int step = 0; step < 3; ++step) {
          host::workspace::scope const a{tools.scratch}, b{scratch};
          how.fails_beside = beside_fails && step == 1 && rank == 1;
          how.fails_here = here_fails && step == 1 && rank == 1;
          auto const y = infer<across>(execution, weights, value(x, 5, 3));
          if (read(y) != times(5, x)) throw std::runtime_error("other numbers");
        }
      } catch (error const& problem) {
        result[rank] = problem.kind();
        throw;
      }
    });
  } catch (error const&) {}
  return result;
}

}  // namespace

TEST_CASE("beside: a rank throws what its lane has thrown, and the others hear that it failed") {
  using kinds = std::vector<std::optional<error_kind>>;
  kinds const nobody(3);
  kinds const one{error_kind::peer_failed, error_kind::argument, error_kind::peer_failed};
  CHECK(heard(false, false) == nobody);
  for (int i = 0; i < 20; ++i) {
    CHECK(heard(true, false) == one);
    CHECK(heard(false, true) == one);
    CHECK(heard(true, true) == one);
  }
}
