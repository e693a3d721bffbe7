// SPDX-License-Identifier: Apache-2.0
// The same for every dense style and a layer of them, on uneven parts and without tokens.
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/layer.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/fsdp.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;
using namespace support;

namespace {

enum class tokens_are { whole, parts };
enum class width_is { whole, part };

/// body(tools, tokens of the rank) on 1, 2 and 3 ranks, with five tokens and without; the first problem.
template <class Body>
std::string everywhere(tokens_are how, Body const& body) {
  for (int const ranks : {1, 2, 3}) {
    for (index_t const tokens : {5, 0}) {
      std::mutex mutex;
      std::string problem;
      on_ranks<tp>(mesh<tp>{ranks}, 1, [&](auto& tools) {
        index_t const own = how == tokens_are::whole ? tokens : ceil_chunk::piece(tokens, ranks, tools.rank).size;
        std::string const found = body(tools, own);
        std::lock_guard const lock{mutex};
        if (!found.empty()) problem = std::to_string(ranks) + " ranks, " + std::to_string(tokens) + " tokens: " + found;
      });
      if (!problem.empty()) return problem;
    }
  }
  return "";
}

template <class Style>
std::string unlike_dry_linear(tokens_are how = tokens_are::whole, width_is input = width_is::whole) {
  return everywhere(how, [&](auto& tools, index_t own) {
    index_t const out = 10;
    index_t const in = 8;
    box const part = shard_weight<Style>({out, in}, tools.grid, tools.rank);
    box const bias_part = shard_bias<Style>({out}, tools.grid, tools.rank);
    std::vector<float> const w(static_cast<std::size_t>(part.count() + 1), 0.5F), b(11, 0.25F), x(5 * 8 + 1, 1.0F);
    linear<float> const weights{
        {w.data(), {part.shape()[0], part.shape()[1]}}, out, in, {b.data(), extents<hidden>{bias_part.shape()[0]}}};
    index_t const width = input == width_is::whole ? in : part.shape()[1];
    activation<float const> const rows{rows_of(x, own, width), in};
    return unlike_dry<Style, tp>(tools, weights, rows, {});
  });
}

}  // namespace

TEST_CASE("linear styles") {
  CHECK(unlike_dry_linear<colwise<tp>>() == "");
  CHECK(unlike_dry_linear<colwise_gather_output<tp>>() == "");
  CHECK(unlike_dry_linear<packed_colwise<tp>>() == "");
  CHECK(unlike_dry_linear<rowwise<tp>>(tokens_are::whole, width_is::part) == "");
  CHECK(unlike_dry_linear<packed_rowwise<tp>>(tokens_are::whole, width_is::part) == "");
  CHECK(unlike_dry_linear<rowwise_split_input<tp>>() == "");
  CHECK(unlike_dry_linear<packed_colwise<tp, two_segments, sharded<tokens>>>(tokens_are::parts) == "");
  CHECK(unlike_dry_linear<replicated_linear>() == "");
}

TEST_CASE("parameters that are gathered for a use, and those that stay") {
  CHECK(unlike_dry_linear<fsdp<replicated_linear, tp>>() == "");
  CHECK(unlike_dry_linear<fsdp<replicated_linear, tp, keep_gathered>>() == "");
}

TEST_CASE("norms") {
  auto const check = []<class Style>(std::type_identity<Style>, tokens_are how) {
    return everywhere(how, [](auto& tools, index_t own) {
      std::vector<float> const w(7, 0.5F), x(5 * 7 + 1, 1.0F);
      norm_weight<float> const weights{vector_of(w)};
      return unlike_dry<Style, tp>(tools, weights, rows_of(x, own, 7), {});
    });
  };
  CHECK(check(std::type_identity<sequence_parallel<tp>>{}, tokens_are::parts) == "");
  CHECK(check(std::type_identity<replicated_norm>{}, tokens_are::whole) == "");
}

TEST_CASE("two results") {
  std::string const found = everywhere(tokens_are::whole, [](auto& tools, index_t own) {
    std::vector<float> const w(9 * 7, 0.5F), x(5 * 7 + 1, 1.0F);
    sliced_linear<float> const weights{{.weight = matrix_of(w, 9, 7), .full_out = 9, .full_in = 7}, 5};
    return unlike_dry<mla_kv_a_proj<tp>, tp>(tools, weights, rows_of(x, own, 7), {});
  });
  CHECK(found == "");
}

TEST_CASE("embeddings") {
  auto const check = []<class Style>(std::type_identity<Style>) {
    return everywhere(tokens_are::whole, [](auto& tools, index_t own) {
      box const part = shard_weight<Style>({11, 7}, tools.grid, tools.rank);
      std::vector<float> const table(static_cast<std::size_t>(part.count() + 1), 0.5F);
      std::vector<std::int64_t> const ids{3, 10, 0, 5, 3};
      embedding_table<float> const weights{{table.data(), {part.shape()[0], part.shape()[1]}}, 11, 7};
      return unlike_dry<Style, tp>(tools, weights, token_ids<>{{ids.data(), extents<tokens>{own}}}, {});
    });
  };
  CHECK(check(std::type_identity<embedding_rowwise<tp>>{}) == "");
  CHECK(check(std::type_identity<embedding_colwise<tp>>{}) == "");
}

TEST_CASE("a gated MLP of three styles") {
  using mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
  std::string const found = everywhere(tokens_are::whole, [](auto& tools, index_t own) {
    index_t const part = ceil_chunk::piece(7, tools.grid.world(), tools.rank).size;
    std::vector<float> const up(2 * 7 * 4, 0.5F), down(4 * 7, 0.25F), x(5 * 4, 1.0F);
    std::tuple const weights{linear<float>{matrix_of(up, 2 * part, 4), 14, 4},
                             linear<float>{matrix_of(down, 4, part), 4, 7}};
    return unlike_dry<mlp, tp>(tools, weights, rows_of(x, own, 4), {});
  });
  CHECK(found == "");
}
