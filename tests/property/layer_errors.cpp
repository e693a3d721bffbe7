// SPDX-License-Identifier: Apache-2.0
// Mistakes of the caller: the rank that can see one throws with the numbers, the others hear of it, nobody waits.
#include "../support/moe_trial.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <optional>

using namespace heddle;
using namespace support;

namespace {

/// What each rank threw.
struct heard {
  std::vector<std::optional<error_kind>> kinds;
  std::string text{};  ///< of the exception that `run` brought home
  double seconds = 0;
};

template <class... Groups, class Grid, class Body>
heard listen(Grid const& grid, Body const& body) {
  heard result{std::vector<std::optional<error_kind>>(static_cast<std::size_t>(grid.world()))};
  auto const begin = std::chrono::steady_clock::now();
  try {
    on_ranks<Groups...>(grid, 1, [&](rank_tools<Grid, Groups...>& tools) {
      try {
        body(tools);
      } catch (error const& problem) {
        result.kinds[static_cast<std::size_t>(tools.rank)] = problem.kind();
        throw;
      }
    });
  } catch (error const& problem) {
    result.text = problem.what();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

/// Rank `culprit` throws `kind` with a text that has all `words`; the others hear of it at once.
void check(heard const& found, int culprit, error_kind kind, std::initializer_list<char const*> words) {
  CAPTURE(found.text);
  for (char const* word : words) CHECK(found.text.find(word) != std::string::npos);
  for (std::size_t rank = 0; rank < found.kinds.size(); ++rank) {
    CAPTURE(rank);
    CHECK(found.kinds[rank] == (static_cast<int>(rank) == culprit ? kind : error_kind::peer_failed));
  }
  CHECK(found.seconds < 20);  // the deadline of a wait is 30
}
/// Every rank sees the mistake, or hears of it from one that does.
void check_all(heard const& found, error_kind kind, std::initializer_list<char const*> words) {
  CAPTURE(found.text);
  for (char const* word : words) CHECK(found.text.find(word) != std::string::npos);
  for (auto const& each : found.kinds) CHECK((each == kind || each == error_kind::peer_failed));
  CHECK(found.seconds < 20);
}

std::vector<float> const numbers(4096, 0.5F);

template <class Style>
void run_linear(tp_tools& tools, index_t width, index_t out, index_t in, index_t bias, index_t full_out,
                index_t full_in) {
  heddle::linear<float> weights{.weight = matrix_of(numbers, out, in), .full_out = full_out, .full_in = full_in};
  if (bias > 0) weights.bias = {numbers.data(), extents<hidden>{bias}};
  activation<float const> const x{rows_of(numbers, 5, width), full_in};
  static_cast<void>(infer<Style>(tools.execution, weights, x));
}

}  // namespace

TEST_CASE("a weight of the wrong width on one rank") {
  check(listen<tp>(tp_mesh{3},
                   [](tp_tools& tools) { run_linear<rowwise<tp>>(tools, 4, 6, tools.rank == 1 ? 3 : 4, 0, 6, 12); }),
        1, error_kind::shape, {"4", "3", "wide"});
}

TEST_CASE("an activation of the wrong width on one rank") {
  check(listen<tp>(tp_mesh{3},
                   [](tp_tools& tools) { run_linear<rowwise<tp>>(tools, tools.rank == 2 ? 5 : 4, 6, 4, 0, 6, 12); }),
        2, error_kind::shape, {"5", "4", "wide"});
}

TEST_CASE("weights that were not cut") {
  check_all(listen<tp>(tp_mesh{3},
                       [](tp_tools& tools) { run_linear<colwise_gather_output<tp>>(tools, 12, 10, 12, 0, 10, 12); }),
            error_kind::shape, {"10 out_features", "its part of 10"});
  check_all(listen<tp>(tp_mesh{3}, [](tp_tools& tools) { run_linear<rowwise<tp>>(tools, 12, 6, 12, 0, 6, 12); }),
            error_kind::shape, {"12 in_features", "its part of 12 is 4"});
}

TEST_CASE("the sizes of the whole were not given") {
  check_all(listen<tp>(tp_mesh{2}, [](tp_tools& tools) { run_linear<colwise<tp>>(tools, 12, 5, 12, 0, 0, 12); }),
            error_kind::shape, {"5 out_features", "of 0"});
}

TEST_CASE("a bias of the wrong width, behind the all_reduce") {
  check(listen<tp>(tp_mesh{3},
                   [](tp_tools& tools) {
                     run_linear<rowwise<tp>>(tools, 4, 6, 4, tools.rank == 0 ? 2 : 6, 6, 12);
                     run_linear<rowwise<tp>>(tools, 4, 6, 4, 6, 6, 12);
                   }),
        0, error_kind::shape, {"a bias is 2 wide and 6"});
}

TEST_CASE("tokens that are not dealt as the placement says: every rank refuses") {
  auto const found = listen<tp>(tp_mesh{4}, [](tp_tools& tools) {
    heddle::linear<float> const weights{.weight = matrix_of(numbers, 2, 12), .full_out = 8, .full_in = 12};
    index_t const height = balanced::piece(10, 4, tools.rank).size;  // 3 3 2 2; ceil chunks are 3 3 3 1
    static_cast<void>(infer<colwise<tp, sharded<tokens>>>(tools.execution, weights, rows_of(numbers, height, 12)));
  });
  for (auto const& kind : found.kinds) CHECK(kind == error_kind::shape);
  CHECK(found.text.find("brings 2 of 10 tokens") != std::string::npos);
}

TEST_CASE("an embedding table of another part") {
  auto const run = [](index_t height, index_t width) {
    return listen<tp>(tp_mesh{4}, [=](tp_tools& tools) {
      std::vector<std::int64_t> const ids{1, 2, 3};
      embedding_table<float> const table{matrix_of(numbers, tools.rank == 3 ? height : 3, tools.rank == 3 ? width : 6),
                                         10, 6};
      token_ids<> const in{{ids.data(), extents<tokens>{3}}};
      static_cast<void>(infer<embedding_rowwise<tp>>(tools.execution, table, in));
    });
  };
  check(run(3, 6), 3, error_kind::shape, {"3 vocab", "of 10 is 1"});
  check(run(1, 5), 3, error_kind::shape, {"5 hidden", "is 6"});
}

TEST_CASE("norm weights that do not divide a row, and rows that have no halves") {
  check_all(listen<tp>(tp_mesh{2},
                       [](tp_tools& tools) {
                         static_cast<void>(infer<replicated_norm>(
                             tools.execution, norm_weight<float>{{numbers.data(), extents<hidden>{5}}},
                             rows_of(numbers, 2, 12)));
                       }),
            error_kind::shape, {"a norm weight is 5 wide and 12"});
  check_all(listen<tp>(tp_mesh{2},
                       [](tp_tools& tools) {
                         static_cast<void>(infer<gated<tp>>(tools.execution, std::tuple<>{},
                                                              activation<float const>{rows_of(numbers, 2, 7), 14}));
                       }),
            error_kind::shape, {"7 wide", "8"});
}

namespace {

using layer_type = moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>;

/// A layer whose parameters `spoil` changed on rank 2.
template <class Layer = layer_type, class Spoil>
heard run_spoiled(Spoil const& spoil, bool on_all = false) {
  moe_data const data = make_moe({.tokens = 12, .ffn = 8, .experts = 6});
  return listen<tp, dp, etp, ep, edp>(split_of{4, 2, 2, 2}.grid(), [&](grid_tools& tools) {
    moe_parameters<float> parameters{data.layer, tools.grid, tools.rank};
    if (on_all || tools.rank == 2) spoil(parameters.weights);
    auto const x = all_of<float>(data.x);
    static_cast<void>(infer<Layer>(tools.execution, parameters.weights, rows_of(x, 12, 10)));
  });
}

}  // namespace

TEST_CASE("expert weights of one rank are not its part") {
  check(run_spoiled([](moe_weights<float>& w) { w.fc1.weight = matrices_of(numbers, 2, 8, 10); }), 2, error_kind::shape,
        {"2 experts", "3"});
  check(run_spoiled([](moe_weights<float>& w) { w.fc1.weight = matrices_of(numbers, 3, 16, 10); }), 2,
        error_kind::shape, {"16 out_features", "is 8"});
  check(run_spoiled([](moe_weights<float>& w) { w.fc1.weight = matrices_of(numbers, 3, 8, 9); }), 2, error_kind::shape,
        {"10 wide and 9"});
  check(run_spoiled([](moe_weights<float>& w) { w.fc2.weight = matrices_of(numbers, 3, 10, 8); }), 2, error_kind::shape,
        {"4 wide and 8"});
  check(run_spoiled([](moe_weights<float>& w) { w.fc2.full_out = 11; }), 2, error_kind::shape,
        {"10 out_features", "of 11"});
}

TEST_CASE("a choice of more experts than there are") {
  check(run_spoiled([](moe_weights<float>& w) { w.top_k = 7; }), 2, error_kind::argument, {"7 of 6 experts"});
  check_all(run_spoiled([](moe_weights<float>& w) { w.top_k = 0; }, true), error_kind::argument, {"0 of 6 experts"});
}

TEST_CASE("ranks that route to different numbers of slots are found, not mixed up") {
  auto const found = run_spoiled<moe_layer<all_gather_dispatcher<>, grouped, weight_at::output>>(
      [](moe_weights<float>& w) { w.top_k = 2; });
  CHECK(found.text != "");
  for (auto const& kind : found.kinds) CHECK(kind.has_value());
  CHECK(found.seconds < 20);
}

TEST_CASE("a rank that throws, and a rank that does not come") {
  auto const run = [](bool thrown) {
    return listen<tp>(tp_mesh{4}, [=](tp_tools& tools) {
      if (tools.rank == 2) {
        if (thrown) throw error(error_kind::io, "the disk is gone");
        return;
      }
      run_linear<rowwise<tp>>(tools, 3, 6, 3, 0, 6, 12);
    });
  };
  auto const thrown = run(true);
  check(thrown, 2, error_kind::io, {"the disk is gone"});
  auto const left = run(false);
  CHECK(!left.kinds[2].has_value());
  for (std::size_t const rank : {0U, 1U, 3U}) CHECK(left.kinds[rank] == error_kind::peer_left);
  CHECK(left.text.find("culprit rank 2") != std::string::npos);
}

TEST_CASE("a mesh of another size than the world") {
  host::thread_world world{4};
  CHECK_THROWS_AS(host::run(world,
                            [](host::thread_communicator& c) {
                              mesh_groups<host::thread_communicator, tp> const groups{c, tp_mesh{3}};
                            }),
                  error);
}
