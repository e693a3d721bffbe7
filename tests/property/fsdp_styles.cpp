// SPDX-License-Identifier: Apache-2.0
// Every style with its parameters shared out over dp, or over dp and cp together, on meshes of tp, cp and dp: outputs,
// gradients and norms are the dense ones, whatever is uneven.
#include "../support/dealt_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/style/fsdp.hpp>

using namespace heddle;
using namespace support;

namespace {

void good(outcome const& found, double tolerance = 1e-10) {
  CHECK(found.problem == "");
  CHECK(found.difference <= tolerance);
}

/// Uneven rows, fewer rows than ranks, several micro-batches, no tokens.
template <class Style>
void check(lies input, lies output) {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    good(dealt_linear<fsdp<Style, dp>>(grid, {.tokens = 11, .in = 10, .out = 14}, input, output, 2));
    if (grid.world() % 4 == 0) {
      good(dealt_linear<fsdp<Style, joint<cp, dp>>>(grid, {.tokens = 11, .in = 10, .out = 14}, input, output, 2));
      good(dealt_linear<fsdp<Style, dp, keep_gathered>>(grid, {.tokens = 3, .in = 6, .out = 4}, input, output, 3));
      good(dealt_linear<fsdp<Style, dp>>(grid, {.tokens = 0, .in = 6, .out = 4, .bias = false}, input, output));
    }
  }
}

}  // namespace

TEST_CASE("fsdp colwise") { check<colwise<tp>>(lies::whole, lies::by_features); }
TEST_CASE("fsdp colwise from parts of the tokens") {
  check<colwise<tp, sharded<tokens>>>(lies::by_tokens, lies::by_features);
}
TEST_CASE("fsdp rowwise") { check<rowwise<tp>>(lies::by_features, lies::whole); }
TEST_CASE("fsdp packed_colwise: halves of what tp leaves are shared out one by one") {
  check<packed_colwise<tp>>(lies::whole, lies::by_packed_features);
}
TEST_CASE("fsdp packed_rowwise") { check<packed_rowwise<tp>>(lies::by_packed_features, lies::whole); }
TEST_CASE("fsdp replicated linear") { check<replicated_linear>(lies::whole, lies::whole); }

TEST_CASE("fsdp embeddings: words are shared out, also of tables whose columns are cut") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    embedding_case const c{.tokens = 13, .vocab = 10, .width = 6};
    good(dealt_embedding<fsdp<embedding_rowwise<tp>, dp>>(grid, c, lies::whole));
    good(dealt_embedding<fsdp<embedding_colwise<tp>, joint<cp, dp>>>(grid, c, lies::whole));
  }
}

TEST_CASE("fsdp norms: elements of the scale") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    norm_case const c{.tokens = 9, .heads = 24, .head_width = 3};
    good(dealt_norm<fsdp<replicated_norm, dp>>(grid, c, lies::whole, false));
    good(dealt_norm<fsdp<sequence_parallel<tp>, joint<cp, dp>>>(grid, c, lies::by_tokens, false));
    good(dealt_norm<fsdp<replicated_with_grad_allreduce<tp>, dp>>(grid, c, lies::by_features, true));
  }
}

TEST_CASE("fsdp: the mean divides by all ranks that tokens are dealt to") {
  for (data_mesh const& grid : data_meshes()) {
    CAPTURE(text(grid));
    linear_case const c{.tokens = 11, .in = 10, .out = 14};
    double const ranks = grid.size<dp>() * grid.size<cp>();
    good(dealt_linear<fsdp<colwise<tp>, dp>, mean>(grid, c, lies::whole, lies::by_features, 2, 1 / ranks));
  }
}

TEST_CASE("fsdp of f32 parameters") {
  good(dealt_linear<fsdp<packed_colwise<tp>, dp>, sum, over_data, float>(
           data_mesh{2, 1, 3}, {.tokens = 11, .in = 10, .out = 14}, lies::whole, lies::by_packed_features),
       1e-5);
}
