// SPDX-License-Identifier: Apache-2.0
// The linear operations that compute, each a pair of adjoints, exactly: products with weights, lookups, shares, parts
// of rows, rows of padding tokens, values side by side, and the change of grid.
#include "../support/adjoint.hpp"

#include <doctest/doctest.h>
#include <heddle/compute/token_gate.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/run.hpp>
#include <heddle/layer/walk_abreast.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/shard.hpp>

using namespace heddle;
using namespace support;

namespace {

constexpr int worlds[] = {1, 2, 3, 4, 6, 8};

/// Small integers, all different.
tensor whole_numbers(shape_t shape, int first = 0) {
  tensor result{std::move(shape), {}};
  for (int i = 0; i < static_cast<int>(count_of(result.shape)); ++i)
    result.data.push_back(((first + i) * 89 % 211) - 105);
  return result;
}

struct linear_held {
  std::vector<double> values;
  linear<double> weights;
};
/// A rank's part of a matrix [out, in] under `Style`, without bias.
template <class Style>
auto linear_of(int ranks, index_t out, index_t in) {
  return [=](int rank) {
    tensor const whole = whole_numbers({out, in});
    box const own = shard_weight<Style>(whole.shape, mesh<tp>{ranks}, rank);
    linear_held held{cut<double>(whole, own), {}};
    held.weights = {.weight = matrix_of(held.values, own.shape()[0], own.shape()[1]), .full_out = out, .full_in = in};
    return held;
  };
}
template <class Style>
void check_linear(index_t out, index_t in) {
  using from = typename Style::forward::from;
  for (int const ranks : worlds) {
    for (index_t const height : {5, 0, 1}) {
      CAPTURE(ranks);
      CAPTURE(height);
      CHECK(try_adjoint<tp>(mesh<tp>{ranks}, linear_of<Style>(ranks, out, in),
                            [&](auto& own) {
                              index_t rows = height;
                              index_t width = in;
                              if constexpr (std::same_as<from, placement<on<tp, sharded<tokens>>>>)
                                rows = ceil_chunk::piece(height, ranks, own.rank).size;
                              if constexpr (std::same_as<from, placement<on<tp, sharded<hidden>>>>)
                                width = ceil_chunk::piece(in, ranks, own.rank).size;
                              if constexpr (std::same_as<from, placement<on<tp, sharded<hidden, two_segments>>>>)
                                width = size_of_part<two_segments>(in, ranks, own.rank);
                              own.template check<typename Style::forward>(own.template rows<from>(rows, width, in));
                            },
                            {.empty = height == 0}) == "");
    }
  }
}

/// One operation as a style, for the cut of its weight.
template <class Operation, class Style>
struct alone : Style {
  using forward = sequence<Operation>;
};
using wide = gemm<placement<on<tp, varying>>, placement<on<tp, sharded<hidden>>>, colwise<tp>::weight>;
using narrow = gemm<placement<on<tp, sharded<hidden>>>, placement<on<tp, partial>>, rowwise<tp>::weight>;

}  // namespace

TEST_CASE("adjoint: products with a cut matrix, alone and as whole linear styles") {
  check_linear<alone<wide, colwise<tp>>>(7, 5);
  check_linear<alone<narrow, rowwise<tp>>>(7, 10);
  check_linear<colwise<tp>>(10, 3);
  check_linear<colwise<tp, sharded<tokens>>>(9, 4);
  check_linear<colwise_gather_output<tp>>(11, 3);
  check_linear<rowwise<tp>>(3, 11);
  check_linear<rowwise<tp, sharded<tokens>>>(4, 9);
  check_linear<rowwise_split_input<tp>>(4, 13);
  check_linear<packed_colwise<tp>>(14, 3);
  check_linear<packed_rowwise<tp>>(3, 14);
  check_linear<replicated_linear>(3, 4);
}

namespace {

template <class Order>
struct experts_held {
  std::vector<double> fc1, fc2;
  moe_weights<double, host_memory, Order> weights;
};
/// A rank's experts of `all`, cut over etp. Transposed ones have the same numbers at other places.
template <class Order>
auto experts_of(mesh<etp, ep> const& grid, index_t all, index_t ffn, index_t width) {
  return [=](int rank) {
    tensor const up = whole_numbers({all, 2 * ffn, width});
    tensor const down = whole_numbers({all, width, ffn}, 50);
    box const own_up = shard_weight<both<grouped_gemm<ep>, packed_colwise<etp>>>(up.shape, grid, rank);
    box const own_down = shard_weight<both<grouped_gemm<ep>, rowwise<etp>>>(down.shape, grid, rank);
    experts_held<Order> held{cut<double>(up, own_up), cut<double>(down, own_down), {}};
    auto const part = [](std::vector<double> const& numbers, shape_t const& own) {
      bool const turned = std::same_as<Order, in_out>;
      typename Order::matrices const shape{own[0], own[turned ? 2 : 1], own[turned ? 1 : 2]};
      return view<double const, typename Order::matrices, host_memory>{numbers.data(), shape};
    };
    held.weights.fc1 = {part(held.fc1, own_up.shape()), all, 2 * ffn, width};
    held.weights.fc2 = {part(held.fc2, own_down.shape()), all, width, ffn};
    return held;
  };
}

template <class Mode, class Order = out_in>
void check_experts() {
  using parts = typename glu_expert<Mode>::template on_groups<ep, etp>;
  using into = concat_t<typename parts::enter, typename parts::first>;
  using out = concat_t<typename parts::second, typename parts::leave>;
  constexpr index_t ffn = 3, width = 2;
  for (int const ranks : worlds) {
    for (int inner = 1; inner <= ranks; ++inner) {
      if (ranks % inner != 0) continue;
      for (index_t const all : {5, 1}) {
        CAPTURE(ranks);
        CAPTURE(inner);
        mesh<etp, ep> const grid{inner, ranks / inner};
        CHECK(try_adjoint<etp, ep>(grid, experts_of<Order>(grid, all, ffn, width), [&](auto& own) {
                // Rows of each expert of this ep rank: some have none.
                range const mine = ceil_chunk::piece(all, grid.size<ep>(), grid.coordinate<ep>(own.rank));
                std::vector<index_t> counts;
                index_t rows = 0, with_gaps = 0;
                for (index_t e = mine.begin; e < mine.end(); ++e) {
                  index_t const count = counts.emplace_back((2 * e + 3) % 4);
                  rows += count;
                  with_gaps += (count + Mode::multiple - 1) / Mode::multiple * Mode::multiple;
                }
                own.frame.routing.experts = all;
                own.frame.routing.expert_rows = counts;
                index_t const inside = size_of_part<ceil_chunk>(ffn, inner, grid.coordinate<etp>(own.rank));
                own.template check<into>(own.template rows<typename into::from>(rows, width));
                own.template check<out>(own.template rows<typename parts::narrow>(with_gaps, inside, ffn));
              }) == "");
      }
    }
  }
}

}  // namespace

TEST_CASE("adjoint: the two products of the experts, grouped, one after another and with gaps, in both orders") {
  check_experts<grouped>();
  check_experts<sequential, in_out>();
  check_experts<aligned<2>>();
  check_experts<aligned<3>, in_out>();
}

namespace {

struct sliced_held {
  sliced_linear<double> weights{};
};
struct no_weights {
  std::tuple<> weights{};
};
constexpr auto without = [](int) { return no_weights{}; };

}  // namespace

namespace {

/// <E(table), dy> == <table, dE(dy)>: ids are no numbers, so a lookup is linear in its table alone. Every rank has the
/// same ids, and rows that all ranks have count once.
template <class Style>
std::string try_table(int ranks, std::vector<std::int64_t> const& ids) {
  constexpr index_t vocabulary = 11, width = 7;
  tensor const table = whole_numbers({vocabulary, width});
  tensor const dy = whole_numbers({static_cast<index_t>(ids.size()), width}, 100);
  double rows = 0, parameters = 0;
  std::mutex mutex;
  on_ranks<tp>(mesh<tp>{ranks}, 1, [&](auto& tools) {
    box const part = shard_weight<Style>(table.shape, tools.grid, tools.rank);
    auto const own = cut<double>(table, part);
    auto const given = all_of<double>(dy);
    embedding_table<double> const weights{{own.data(), {part.shape()[0], part.shape()[1]}}, vocabulary, width};
    auto const height = static_cast<index_t>(ids.size());
    auto const [y, saved] =
        forward<Style>(tools.execution, weights, token_ids<>{{ids.data(), extents<tokens>{height}}});
    auto const gradients = backward<Style>(tools.execution, weights, saved, rows_of(given, height, width)).gradients;
    std::lock_guard const lock{mutex};
    for (std::size_t i = 0; tools.rank == 0 && i < given.size(); ++i) rows += y.data.data()[i] * given[i];
    for (std::size_t i = 0; i < own.size(); ++i) parameters += own[i] * gradients.weight.data()[i];
  });
  if (rows == 0 && !ids.empty()) return "nothing was compared";
  return rows == parameters ? "" : std::to_string(rows) + " and " + std::to_string(parameters);
}

}  // namespace

TEST_CASE("adjoint: a lookup in its table, cut by rows and by columns") {
  for (int const ranks : worlds) {
    CAPTURE(ranks);
    for (std::vector<std::int64_t> const& ids : {std::vector<std::int64_t>{3, 10, 0, 5, 3, 3}, {}, {10}}) {
      CHECK(try_table<embedding_rowwise<tp>>(ranks, ids) == "");
      CHECK(try_table<embedding_colwise<tp>>(ranks, ids) == "");
    }
  }
}

TEST_CASE("adjoint: a share of a value") {
  for (int const ranks : worlds) {
    CAPTURE(ranks);
    CHECK(try_adjoint<tp>(
              mesh<tp>{ranks}, without,
              [](auto& own) { own.template check<sequence<spread<tp>>>(own.template rows<spread<tp>::from>(4, 3)); },
              {.unit = 24}) == "");
  }
}

TEST_CASE("adjoint: values side by side, each through its own") {
  using apart = sequence<abreast<sequence<copy<tp>>, sequence<all_reduce<tp>>>>;
  for (int const ranks : worlds) {
    CAPTURE(ranks);
    CHECK(try_adjoint<tp>(mesh<tp>{ranks}, without, [](auto& own) {
            own.template check<apart>(own.template rows<copy<tp>::from>(4, 3),
                                      own.template rows<all_reduce<tp>::from>(2, 5));
          }) == "");
  }
}

TEST_CASE("adjoint: rows of padding tokens") {
  bool const padding[] = {false, true, true, false, true};
  for (int const ranks : worlds) {
    for (index_t const height : {5, 0, 1}) {
      CAPTURE(ranks);
      CAPTURE(height);
      CHECK(try_adjoint<tp>(mesh<tp>{ranks}, without,
                            [&](auto& own) {
                              own.step_inputs.padding = {padding, extents<tokens>{height}};
                              own.template check<sequence<mask_padding<>>>(own.template rows<placement<>>(height, 3));
                            },
                            {.empty = height == 0}) == "");
    }
  }
}

TEST_CASE("adjoint: parts of a row, and the whole of parts") {
  for (int const ranks : worlds) {
    for (index_t const first : {3, 0, 5}) {
      auto const sliced = [=](int) { return sliced_held{{.projection = {}, .first_width = first}}; };
      using latent = sequence<slice<>, on_port<1, sequence<copy<tp>>>>;
      CHECK(try_adjoint<tp>(mesh<tp>{ranks}, sliced, [&](auto& own) {
              using whole = placement<on<tp, replicated>>;
              own.template check<latent>(own.template rows<whole>(4, 5));
              own.template check<sequence<concat_columns<whole>>>(own.template rows<whole>(4, first),
                                                                  own.template rows<whole>(4, 5 - first));
            }) == "");
    }
  }
}

TEST_CASE("adjoint: the change of grid and the way back") {
  for (int const ranks : worlds) {
    for (int tensor = 1; tensor <= ranks; ++tensor) {
      for (int inner = 1; inner <= ranks; ++inner) {
        if (ranks % tensor != 0 || ranks % inner != 0) continue;
        CAPTURE(ranks);
        CAPTURE(tensor);
        folding<> const grid{dense_mesh{tensor, ranks / tensor}, expert_mesh{inner, ranks / inner, 1}};
        for (index_t const height : {7, 1}) {
          CHECK(try_adjoint<tp, dp, etp, ep, edp>(grid, without, [&](auto& own) {
                  index_t const rows = height + grid.coordinate<dp>(own.rank) % 3;
                  own.template check<sequence<regrid<>>>(own.template rows<regrid<>::from>(rows, 3));
                  index_t const part = ceil_chunk::piece(rows, tensor, grid.coordinate<tp>(own.rank)).size;
                  own.template check<sequence<regrid_back<>>>(own.template rows<regrid_back<>::from>(part, 3));
                }) == "");
        }
      }
    }
  }
}
