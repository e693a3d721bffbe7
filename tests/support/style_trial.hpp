// SPDX-License-Identifier: Apache-2.0
// One style on some ranks against the dense result. The same function judges the real styles and their mutations.
#pragma once

#include "dense.hpp"
#include "ranks.hpp"
#include "relative.hpp"

#include <heddle/layer/forward.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>
#include <heddle/style/shard.hpp>
#include <limits>

namespace support {

using heddle::ceil_chunk;
using heddle::tp;
using tp_mesh = heddle::mesh<tp>;
using tp_tools = rank_tools<tp_mesh, tp>;

/// How an activation [T, H] lies on tp.
enum class lies { whole, by_features, by_packed_features, by_query_key_value, by_tokens };

/// A fused q|k|v of 4 query and 2 key-value heads.
using query_key_value = heddle::segmented<ceil_chunk, 4, 2, 2>;

inline box part_of(lies how, shape_t const& shape, int ranks, int rank) {
  box part = box::all(shape);
  switch (how) {
    case lies::whole: break;
    case lies::by_features: part.cut<ceil_chunk>(1, ranks, rank); break;
    case lies::by_packed_features: part.cut<heddle::two_segments>(1, ranks, rank); break;
    case lies::by_query_key_value: part.cut<query_key_value>(1, ranks, rank); break;
    case lies::by_tokens: part.cut<ceil_chunk>(0, ranks, rank); break;
  }
  return part;
}

/// How a style cuts its parameters. A mutation brings its own.
template <class Style>
struct cut_by {
  static box weight(shape_t const& shape, int ranks, int rank) {
    return heddle::shard_weight<Style>(shape, tp_mesh{ranks}, rank);
  }
  static box bias(shape_t const& shape, int ranks, int rank) {
    return heddle::shard_bias<Style>(shape, tp_mesh{ranks}, rank);
  }
};

/// The largest difference to the dense result over all ranks, relative to its largest number, and what went wrong
/// besides.
struct outcome {
  double difference = 0;
  std::string problem{};
  [[nodiscard]] bool good(double tolerance = 1e-5) const { return problem.empty() && difference <= tolerance; }
};

/// Collects the outcomes of ranks.
class judgement {
 public:
  /// `got` is what `rank` has of `dense`, of which it should have `part`.
  template <class T>
  void compare(int rank, heddle::rows<T> got, tensor const& dense, box const& part) {
    using value = std::remove_const_t<T>;
    auto const expected = cut<double>(dense, part);
    shape_t const shape{got.template size<heddle::tokens>(), got.template size<heddle::hidden>()};
    std::vector<double> values;
    for (std::size_t i = 0; shape == part.shape() && i < expected.size(); ++i)
      values.push_back(as_double<value>(got.data()[i]));
    double const off = shape == part.shape() ? relative_off(values, expected, scale_of(dense.data)) : 0;
    std::lock_guard const lock{mutex_};
    result_.difference = std::max(result_.difference, off);
    if (shape != part.shape() && result_.problem.empty()) {
      result_.problem =
          "rank " + std::to_string(rank) + " has " + text(shape) + " and should have " + text(part.shape());
    }
  }
  /// Runs the ranks; an exception is a problem, not the end of the test.
  template <class... Groups, class Grid, class Body>
  outcome run(Grid const& grid, int threads, Body const& body) {
    try {
      on_ranks<Groups...>(grid, threads, body);
    } catch (std::exception const& problem) {
      result_.problem = problem.what();
    }
    return result_;
  }

 private:
  std::mutex mutex_;
  outcome result_;
};

struct linear_case {
  int ranks = 1;
  index_t tokens = 5, in = 8, out = 6;
  bool bias = true;
  int threads = 1;
};

/// y = x W^T + b by `Style`, whose input and output should lie as told.
template <class Style, class Cut = cut_by<Style>, class T = float>
outcome try_linear(linear_case const& c, lies input, lies output) {
  tensor const x = rounded<T>(distinct({c.tokens, c.in}, 1));
  tensor const w = rounded<T>(distinct({c.out, c.in}, 2, 0.5));
  tensor const b = rounded<T>(distinct({c.out}, 3));
  tensor const y = multiply(x, w, c.bias ? &b : nullptr);
  judgement judge;
  return judge.template run<tp>(tp_mesh{c.ranks}, c.threads, [&](tp_tools& tools) {
    box const own_w = Cut::weight(w.shape, c.ranks, tools.rank);
    box const own_x = part_of(input, x.shape, c.ranks, tools.rank);
    auto const local_x = cut<T>(x, own_x);
    auto const local_w = cut<T>(w, own_w);
    auto const local_b = cut<T>(b, Cut::bias(b.shape, c.ranks, tools.rank));
    heddle::linear<T> weights{
        .weight = matrix_of(local_w, own_w.shape()[0], own_w.shape()[1]), .full_out = c.out, .full_in = c.in};
    if (c.bias) weights.bias = vector_of(local_b);
    heddle::activation<T const> const in{rows_of(local_x, own_x.shape()[0], own_x.shape()[1]), c.in};
    auto const out = heddle::infer<Style>(tools.execution, weights, in);
    judge.compare(tools.rank, out.data, y, part_of(output, y.shape, c.ranks, tools.rank));
  });
}

struct embedding_case {
  int ranks = 1;
  index_t tokens = 9, vocab = 10, width = 6;
};

template <class Style, class Cut = cut_by<Style>>
outcome try_embedding(embedding_case const& c, lies output) {
  tensor const table = distinct({c.vocab, c.width}, 4);
  std::vector<std::int64_t> ids;
  for (index_t t = 0; t < c.tokens; ++t) ids.push_back((t * 7 + c.vocab - 1) % c.vocab);
  tensor const y = lookup(ids, table);
  judgement judge;
  return judge.template run<tp>(tp_mesh{c.ranks}, 1, [&](tp_tools& tools) {
    box const own = Cut::weight(table.shape, c.ranks, tools.rank);
    auto const local = cut<float>(table, own);
    heddle::embedding_table<float> const weights{matrix_of(local, own.shape()[0], own.shape()[1]), c.vocab, c.width};
    heddle::token_ids<> const in{{ids.data(), heddle::extents<heddle::tokens>{c.tokens}}};
    auto const out = heddle::infer<Style>(tools.execution, weights, in);
    judge.compare(tools.rank, out.data, y, part_of(output, y.shape, c.ranks, tools.rank));
  });
}

struct norm_case {
  int ranks = 1;
  index_t tokens = 7, heads = 8, head_width = 3;
};

/// RMS norm over the whole row, or head by head, of an activation that lies as told and stays so.
template <class Style>
outcome try_norm(norm_case const& c, lies where, bool by_head) {
  tensor const x = distinct({c.tokens, c.heads * c.head_width}, 5);
  tensor const w = distinct({by_head ? c.head_width : c.heads * c.head_width}, 6);
  tensor const y = rms_norm(x, w, 1e-5);
  judgement judge;
  return judge.template run<tp>(tp_mesh{c.ranks}, 1, [&](tp_tools& tools) {
    box const own = part_of(where, x.shape, c.ranks, tools.rank);
    auto const local_x = cut<float>(x, own);
    auto const local_w = cut<float>(w, heddle::shard_weight<Style>(w.shape, tools.grid, tools.rank));
    heddle::norm_weight<float> const weights{vector_of(local_w), 1e-5F};
    heddle::activation<float const> const in{rows_of(local_x, own.shape()[0], own.shape()[1]), x[1]};
    auto const out = heddle::infer<Style>(tools.execution, weights, in);
    judge.compare(tools.rank, out.data, y, own);
  });
}

struct mla_case {
  int ranks = 1;
  index_t tokens = 5, latent = 6, rope = 3;
  bool bias = true;
  index_t first_width = -1;  ///< where the style is told to slice; below zero where it should, behind the latent part
};

/// [latent | rope] = x W^T + b by `Style`, each part whole on every rank.
template <class Style, class Cut = cut_by<Style>>
outcome try_mla(mla_case const& c) {
  constexpr index_t in = 7;
  tensor const x = distinct({c.tokens, in}, 1);
  tensor const w = distinct({c.latent + c.rope, in}, 2);
  tensor const b = distinct({c.latent + c.rope}, 3);
  tensor const y = multiply(x, w, c.bias ? &b : nullptr);
  tensor const latent = columns(y, 0, c.latent);
  tensor const rope = columns(y, c.latent, c.rope);
  judgement judge;
  return judge.template run<tp>(tp_mesh{c.ranks}, 1, [&](tp_tools& tools) {
    box const own_w = Cut::weight(w.shape, c.ranks, tools.rank);
    auto const local_x = all_of<float>(x);
    auto const local_w = cut<float>(w, own_w);
    auto const local_b = cut<float>(b, Cut::bias(b.shape, c.ranks, tools.rank));
    heddle::sliced_linear<float> weights{{.weight = matrix_of(local_w, own_w.shape()[0], own_w.shape()[1]),
                                          .full_out = c.latent + c.rope,
                                          .full_in = in},
                                         c.first_width < 0 ? c.latent : c.first_width};
    if (c.bias) weights.projection.bias = vector_of(local_b);
    auto const [first, second] = heddle::infer<Style>(tools.execution, weights, rows_of(local_x, c.tokens, in));
    judge.compare(tools.rank, first.data, latent, box::all(latent.shape));
    judge.compare(tools.rank, second.data, rope, box::all(rope.shape));
  });
}

}  // namespace support
