// SPDX-License-Identifier: Apache-2.0
// Every style on meshes of tensor, context and data parallelism: gradients of tokens that are dealt out, reduced once,
// are the dense ones, and their norms are the same on every mesh.
#include "../support/dealt_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

void good(outcome const& found, double tolerance = 1e-10) {
  CHECK(found.problem == "");
  CHECK(found.difference <= tolerance);
}

/// Uneven tokens and features, fewer tokens than ranks, none.
template <class Style>
void check(lies input, lies output) {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    good(dealt_linear<Style>(grid, {.tokens = 11, .in = 10, .out = 14}, input, output));
    if (grid.world() == 8) {
      good(dealt_linear<Style>(grid, {.tokens = 3, .in = 6, .out = 4, .bias = false}, input, output, 2));
      good(dealt_linear<Style>(grid, {.tokens = 0, .in = 6, .out = 4}, input, output));
    }
  }
}

}  // namespace

TEST_CASE("colwise over data groups") { check<colwise<tp>>(lies::whole, lies::by_features); }
TEST_CASE("colwise from parts of the tokens over data groups") {
  check<colwise<tp, sharded<tokens>>>(lies::by_tokens, lies::by_features);
}
TEST_CASE("colwise_gather_output over data groups") { check<colwise_gather_output<tp>>(lies::whole, lies::whole); }
TEST_CASE("rowwise over data groups") { check<rowwise<tp>>(lies::by_features, lies::whole); }
TEST_CASE("rowwise to parts of the tokens over data groups") {
  check<rowwise<tp, sharded<tokens>>>(lies::by_features, lies::by_tokens);
}
TEST_CASE("rowwise_split_input over data groups") { check<rowwise_split_input<tp>>(lies::whole, lies::whole); }
TEST_CASE("packed_colwise over data groups") { check<packed_colwise<tp>>(lies::whole, lies::by_packed_features); }
TEST_CASE("packed_rowwise over data groups") { check<packed_rowwise<tp>>(lies::by_packed_features, lies::whole); }
TEST_CASE("replicated linear over data groups") { check<replicated_linear>(lies::whole, lies::whole); }

TEST_CASE("embeddings over data groups") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    embedding_case const c{.tokens = 13, .vocab = 10, .width = 6};
    good(dealt_embedding<embedding_rowwise<tp>>(grid, c, lies::whole));
    good(dealt_embedding<embedding_rowwise<tp, sharded<tokens>>>(grid, c, lies::by_tokens));
    good(dealt_embedding<embedding_colwise<tp>>(grid, c, lies::whole));
  }
}

TEST_CASE("norms over data groups: whole rows, rows of parts of the tokens, heads") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    norm_case const c{.tokens = 9, .heads = 24, .head_width = 3};
    good(dealt_norm<replicated_norm>(grid, c, lies::whole, false));
    good(dealt_norm<sequence_parallel<tp>>(grid, c, lies::by_tokens, false));
    good(dealt_norm<replicated_with_grad_allreduce<tp>>(grid, c, lies::by_features, true));
  }
}

TEST_CASE("the mean divides by the ranks that tokens are dealt to, and by no others") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    double const ranks = grid.size<dp>() * grid.size<cp>();
    linear_case const c{.tokens = 11, .in = 10, .out = 14};
    good(dealt_linear<colwise<tp>, mean>(grid, c, lies::whole, lies::by_features, 1, 1 / ranks));
    // Parts of the tokens on tp are one replica's.
    good(dealt_linear<colwise<tp, sharded<tokens>>, mean>(grid, c, lies::by_tokens, lies::by_features, 2, 1 / ranks));
    good(dealt_norm<sequence_parallel<tp>, mean>(grid, {.tokens = 9}, lies::by_tokens, false, 1 / ranks));
    good(dealt_linear<colwise<tp>, mean_over<dp>>(grid, c, lies::whole, lies::by_features, 1, 1.0 / grid.size<dp>()));
    good(dealt_linear<colwise<tp>, mean_over<cp, dp, tp>>(grid, c, lies::whole, lies::by_features, 1,
                                                          1 / ranks / grid.size<tp>()));
  }
}

TEST_CASE("f32 gradients are f32 sums") {
  good(dealt_linear<colwise<tp>, sum, over_data, float>(data_mesh{2, 2, 2}, {.tokens = 11, .in = 10, .out = 14},
                                                        lies::whole, lies::by_features),
       1e-5);
}
