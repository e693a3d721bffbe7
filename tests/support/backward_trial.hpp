// SPDX-License-Identifier: Apache-2.0
// One style forward and backward on some ranks: against dense gradients, with the weight pass on another thread, and
// with its values recomputed. The same function judges the real styles and their mutations.
#pragma once

#include "dense_gradients.hpp"
#include "style_trial.hpp"

#include <heddle/layer/backward.hpp>
#include <heddle/layer/each_gradient.hpp>
#include <heddle/layer/saved_bytes.hpp>
#include <heddle/sequence/parameter_gradients.hpp>
#include <map>
#include <thread>

namespace support {

/// The same style, of which only the inputs are saved.
template <class Style>
struct recomputed_style {
  static constexpr heddle::fixed_string name = "recomputed";
  using weight = typename Style::weight;
  using bias = typename Style::bias;
  using forward = heddle::sequence<heddle::recompute<typename Style::forward>>;
  using backward = heddle::conjugate_t<forward>;
};

/// The groups over which a parameter's gradient is still a sum.
template <class Placement>
struct sum_over;
template <class... Entries>
struct sum_over<heddle::placement<Entries...>> {
  /// Whether the gradients of two ranks are summands of one.
  template <class Grid>
  static bool joins(Grid const& grid, int a, int b) {
    return same(grid, a, b, typename listed<Grid>::type{});
  }

 private:
  template <class Grid>
  struct listed;
  template <class... Groups>
  struct listed<heddle::mesh<Groups...>> {
    using type = heddle::type_list<Groups...>;
  };
  template <class... Dense, class... Expert>
  struct listed<heddle::folding<heddle::mesh<Dense...>, heddle::mesh<Expert...>>> {
    using type = heddle::type_list<Expert...>;  // either grid numbers all ranks
  };
  template <class Grid, class... Groups>
  static bool same(Grid const& grid, int a, int b, heddle::type_list<Groups...>) {
    return ((heddle::contains_v<Groups, heddle::type_list<typename Entries::group...>> ||
             grid.template coordinate<Groups>(a) == grid.template coordinate<Groups>(b)) &&
            ...);
  }
};

/// Differences by the measure of relative.hpp.
class gradient_judge {
 public:
  struct share {
    int rank;
    std::vector<double> values;
    box part;
  };

  /// Sizes of gradients by name, where an oracle has measured them. Before anything is compared.
  void sizes_are(std::map<std::string, double> sizes) { sizes_ = std::move(sizes); }

  void complain(std::string const& what) {
    std::lock_guard const lock{mutex_};
    if (problem_.empty()) problem_ = what;
  }
  /// What `rank` has of `dense`, of which it should have `part`.
  void compare(std::string const& name, std::vector<double> const& got, tensor const& dense, box const& part) {
    auto const expected = cut<double>(dense, part);
    auto const size = sizes_.find("grad." + name);
    double const off = relative_off(got, expected, scale_of(dense.data, size == sizes_.end() ? 0 : size->second));
    std::lock_guard const lock{mutex_};
    if (off > worst_) {
      worst_ = off;
      worst_name_ = name;
    }
  }
  /// This rank's summand of a parameter's gradient.
  void give(std::size_t parameter, share own) {
    std::lock_guard const lock{mutex_};
    if (shares_.size() <= parameter) shares_.resize(parameter + 1);
    shares_[parameter].push_back(std::move(own));
  }
  /// Takes the sums that `Placement` says and compares every rank's result.
  template <class Placement, class Grid>
  void reduce(Grid const& grid, std::size_t parameter, std::string const& name, tensor const& dense) {
    if (parameter >= shares_.size()) return complain("no gradient of " + name);
    for (share const& own : shares_[parameter]) {
      std::vector<double> sum(own.values.size());
      for (share const& other : shares_[parameter]) {
        if (!sum_over<Placement>::joins(grid, own.rank, other.rank)) continue;
        if (other.values.size() != sum.size()) return complain("gradients of " + name + " that do not add up");
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other.values[i];
      }
      compare(name, sum, dense, own.part);
    }
  }
  [[nodiscard]] outcome found() const { return {worst_, problem_}; }
  [[nodiscard]] std::string const& worst() const { return worst_name_; }

 private:
  std::mutex mutex_;
  double worst_ = 0;
  std::string worst_name_, problem_;
  std::map<std::string, double> sizes_;
  std::vector<std::vector<share>> shares_;
};

template <class Element, class Extents>
std::vector<double> doubles(heddle::view<Element, Extents> x) {
  std::vector<double> result;
  for (index_t i = 0; i < x.count(); ++i) result.push_back(as_double<std::remove_const_t<Element>>(x.data()[i]));
  return result;
}
template <class Element>
std::vector<double> doubles(heddle::activation<Element> x) {
  return doubles(x.data);
}
inline std::vector<double> doubles(heddle::no_gradient) { return {}; }

/// All numbers of parameter gradients, one list a parameter, in the order of parameter_gradients_t.
using gradient_lists = std::vector<std::vector<double>>;
template <class Style, class Gradients>
gradient_lists lists_of(Gradients const& gradients) {
  gradient_lists lists;
  heddle::detail::each_gradient<Style>(gradients,
                                       [&](auto, auto gradient, auto) { lists.push_back(doubles(gradient)); });
  return lists;
}

/// The numbers of a backward pass on one rank.
struct backward_numbers {
  std::vector<std::vector<double>> dx;
  gradient_lists gradients;
  index_t saved = 0;
  friend bool operator==(backward_numbers const& a, backward_numbers const& b) {
    return a.dx == b.dx && a.gradients == b.gradients;
  }
};
template <class Value>
std::vector<std::vector<double>> numbers_of(Value const& value) {
  return {doubles(value)};
}
template <class... Values>
std::vector<std::vector<double>> numbers_of(std::tuple<Values...> const& values) {
  return std::apply([](auto const&... value) { return std::vector<std::vector<double>>{doubles(value)...}; }, values);
}

/// Forward and backward of `Style` as one step.
template <class Style, class Tools, class Weights, class X, class Dy>
backward_numbers step_back(Tools& tools, Weights const& weights, X const& x, Dy const& dy) {
  heddle::host::workspace::scope const scope{tools.scratch};
  auto const [y, saved] = heddle::forward<Style>(tools.execution, weights, x);
  auto const result = heddle::backward<Style>(tools.execution, weights, saved, dy);
  return {numbers_of(result.dx), lists_of<Style>(result.gradients), heddle::saved_bytes(saved)};
}
/// The same with the weight pass on a thread of its own, which knows no other rank.
template <class Style, class Tools, class Weights, class X, class Dy>
backward_numbers step_back_later(Tools& tools, Weights const& weights, X const& x, Dy const& dy) {
  heddle::host::workspace::scope const scope{tools.scratch};
  auto const forward = heddle::forward<Style>(tools.execution, weights, x);
  auto const data = heddle::backward_data<Style>(tools.execution, weights, forward.saved, dy);
  backward_numbers found{numbers_of(data.dx), {}, heddle::saved_bytes(forward.saved)};
  std::exception_ptr problem;
  std::thread{[&] {
    try {
      heddle::host::reference_gemm gemm;
      heddle::host::no_groups alone;
      heddle::host::workspace scratch;
      heddle::host::execution execution{gemm, alone, scratch};
      auto const gradients = heddle::zero_gradients(execution, weights);
      heddle::backward_weights<Style>(execution, weights, forward.saved, data.pending, gradients);
      found.gradients = lists_of<Style>(gradients);
    } catch (...) {
      problem = std::current_exception();
    }
  }}.join();
  if (problem) std::rethrow_exception(problem);
  return found;
}

/// Runs the step twice, then with a late weight pass: the same bits, without new memory. Returns its numbers.
template <class Style, class Tools, class Weights, class X, class Dy>
backward_numbers every_way_of_layer(Tools& tools, gradient_judge& judge, Weights const& weights, X const& x,
                                    Dy const& dy) {
  auto const first = step_back<Style>(tools, weights, x, dy);
  auto const blocks = tools.scratch.blocks();
  if (!(step_back<Style>(tools, weights, x, dy) == first)) judge.complain("two steps give different bits");
  if (tools.scratch.blocks() != blocks) judge.complain("the second step takes new memory");
  if (!(step_back_later<Style>(tools, weights, x, dy) == first)) judge.complain("later weight gradients differ");
  return first;
}
/// The same, and with what the style saved computed again.
template <class Style, class Tools, class Weights, class X, class Dy>
backward_numbers every_way(Tools& tools, gradient_judge& judge, Weights const& weights, X const& x, Dy const& dy) {
  auto const first = every_way_of_layer<Style>(tools, judge, weights, x, dy);
  auto const again = step_back<recomputed_style<Style>>(tools, weights, x, dy);
  if (!(again == first)) judge.complain("recomputed values differ");
  // Nothing is saved but the inputs and who chose whom.
  heddle::host::workspace::scope const scope{tools.scratch};
  auto const saved = heddle::forward<recomputed_style<Style>>(tools.execution, weights, x).saved;
  auto const inputs = heddle::detail::keeping(heddle::detail::as_bundle(x));
  if (again.saved != heddle::saved_bytes(heddle::saved_step{inputs, saved.state}))
    judge.complain("recomputing saves more than the inputs");
  return first;
}

/// Compares the sums of all parameters. `Reductions` is a list of placements, one a parameter.
template <class Reductions, class Grid, std::size_t... Index>
void reduce_all(gradient_judge& judge, Grid const& grid, std::vector<std::pair<std::string, tensor>> const& dense,
                std::index_sequence<Index...>) {
  (judge.reduce<heddle::detail::element_t<Reductions, static_cast<int>(Index)>>(grid, Index, dense[Index].first,
                                                                                dense[Index].second),
   ...);
}
template <class Reductions, class Grid>
void reduce_all(gradient_judge& judge, Grid const& grid, std::vector<std::pair<std::string, tensor>> const& dense) {
  if (static_cast<std::size_t>(Reductions::size) != dense.size())
    return judge.complain("reductions for " + std::to_string(Reductions::size) + " parameters of " +
                          std::to_string(dense.size()));
  reduce_all<Reductions>(judge, grid, dense, std::make_index_sequence<Reductions::size>{});
}

/// Runs the ranks; an exception is a problem, not the end of the test.
template <class... Groups, class Grid, class Body>
void run_judged(gradient_judge& judge, Grid const& grid, int threads, Body const& body) {
  try {
    on_ranks<Groups...>(grid, threads, body);
  } catch (std::exception const& problem) {
    judge.complain(problem.what());
  }
}

/// y = x W^T + b by `Style` and its gradients.
template <class Style, class T = double, class Cut = cut_by<Style>,
          class Reductions = heddle::parameter_gradients_t<typename Style::forward>>
outcome back_linear(linear_case const& c, lies input, lies output) {
  tensor const x = rounded<T>(distinct({c.tokens, c.in}, 1));
  tensor const w = rounded<T>(distinct({c.out, c.in}, 2, 0.5));
  tensor const b = rounded<T>(distinct({c.out}, 3));
  tensor const dy = rounded<T>(distinct({c.tokens, c.out}, 4));
  linear_back const expected = multiply_back(x, w, dy);
  tp_mesh const grid{c.ranks};
  gradient_judge judge;
  run_judged<tp>(judge, grid, c.threads, [&](tp_tools& tools) {
    box const own_w = Cut::weight(w.shape, c.ranks, tools.rank);
    box const own_b = Cut::bias(b.shape, c.ranks, tools.rank);
    box const own_x = part_of(input, x.shape, c.ranks, tools.rank);
    box const own_y = part_of(output, dy.shape, c.ranks, tools.rank);
    auto const local_x = cut<T>(x, own_x);
    auto const local_w = cut<T>(w, own_w);
    auto const local_b = cut<T>(b, own_b);
    auto const local_dy = cut<T>(dy, own_y);
    heddle::linear<T> weights{
        .weight = matrix_of(local_w, own_w.shape()[0], own_w.shape()[1]), .full_out = c.out, .full_in = c.in};
    if (c.bias) weights.bias = vector_of(local_b);
    heddle::activation<T const> const in{rows_of(local_x, own_x.shape()[0], own_x.shape()[1]), c.in};
    heddle::activation<T const> const back{rows_of(local_dy, own_y.shape()[0], own_y.shape()[1]), c.out};
    auto const got = every_way<Style>(tools, judge, weights, in, back);
    judge.compare("x", got.dx[0], expected.x, own_x);
    judge.give(0, {tools.rank, got.gradients[0], own_w});
    judge.give(1, {tools.rank, got.gradients[1], c.bias ? own_b : box{{{}}}});
  });
  reduce_all<Reductions>(judge, grid, {{"weight", expected.w}, {"bias", expected.b}});
  return judge.found();
}

/// The gradient of an embedding table.
template <class Style, class T = double>
outcome back_embedding(embedding_case const& c, lies output) {
  std::vector<std::int64_t> ids;
  for (index_t t = 0; t < c.tokens; ++t) ids.push_back((t * t * 7 + c.vocab - 1) % c.vocab);  // some more than once
  tensor const table = rounded<T>(distinct({c.vocab, c.width}, 4));
  tensor const dy = rounded<T>(distinct({c.tokens, c.width}, 5));
  tp_mesh const grid{c.ranks};
  gradient_judge judge;
  run_judged<tp>(judge, grid, 2, [&](tp_tools& tools) {
    box const own = cut_by<Style>::weight(table.shape, c.ranks, tools.rank);
    box const own_y = part_of(output, dy.shape, c.ranks, tools.rank);
    auto const local = cut<T>(table, own);
    auto const local_dy = cut<T>(dy, own_y);
    heddle::embedding_table<T> const weights{matrix_of(local, own.shape()[0], own.shape()[1]), c.vocab, c.width};
    heddle::token_ids<> const in{{ids.data(), heddle::extents<heddle::tokens>{c.tokens}}};
    heddle::activation<T const> const back{rows_of(local_dy, own_y.shape()[0], own_y.shape()[1]), c.width};
    auto const got = every_way<Style>(tools, judge, weights, in, back);
    judge.give(0, {tools.rank, got.gradients[0], own});
  });
  reduce_all<heddle::parameter_gradients_t<typename Style::forward>>(judge, grid,
                                                                     {{"table", lookup_back(ids, table.shape, dy)}});
  return judge.found();
}

/// The gradients of a norm, of whole rows or head by head.
template <class Style, class T = double, class Reductions = heddle::parameter_gradients_t<typename Style::forward>>
outcome back_norm(norm_case const& c, lies where, bool by_head) {
  tensor const x = rounded<T>(distinct({c.tokens, c.heads * c.head_width}, 5));
  tensor const w = rounded<T>(distinct({by_head ? c.head_width : c.heads * c.head_width}, 6));
  tensor const dy = rounded<T>(distinct(x.shape, 7));
  norm_back const expected = rms_norm_back(x, w, static_cast<double>(1e-5F), dy);
  tp_mesh const grid{c.ranks};
  gradient_judge judge;
  run_judged<tp>(judge, grid, 1, [&](tp_tools& tools) {
    box const own = part_of(where, x.shape, c.ranks, tools.rank);
    auto const local_x = cut<T>(x, own);
    auto const local_dy = cut<T>(dy, own);
    auto const local_w = all_of<T>(w);
    heddle::norm_weight<T> const weights{vector_of(local_w), 1e-5F};
    heddle::activation<T const> const in{rows_of(local_x, own.shape()[0], own.shape()[1]), x[1]};
    heddle::activation<T const> const back{rows_of(local_dy, own.shape()[0], own.shape()[1]), x[1]};
    auto const got = every_way<Style>(tools, judge, weights, in, back);
    judge.compare("x", got.dx[0], expected.x, own);
    judge.give(0, {tools.rank, got.gradients[0], box::all(w.shape)});
  });
  reduce_all<Reductions>(judge, grid, {{"weight", expected.w}});
  return judge.found();
}

/// The gradients of MLA's projection. What comes back for the rope part is this rank's summand.
template <class Style, class T = double>
outcome back_mla(mla_case const& c) {
  constexpr index_t in = 7;
  tensor const x = rounded<T>(distinct({c.tokens, in}, 1));
  tensor const w = rounded<T>(distinct({c.latent + c.rope, in}, 2));
  tensor const b = rounded<T>(distinct({c.latent + c.rope}, 3));
  tensor const latent = rounded<T>(distinct({c.tokens, c.latent}, 4));
  std::vector<tensor> ropes;
  tensor dy = zeros({c.tokens, c.latent + c.rope});
  for (int rank = 0; rank < c.ranks; ++rank) {
    ropes.push_back(rounded<T>(distinct({c.tokens, c.rope}, 20 + static_cast<std::uint64_t>(rank))));
    for (index_t t = 0; t < c.tokens; ++t) {
      for (index_t h = 0; h < c.rope; ++h) at(dy, t, c.latent + h) += at(ropes.back(), t, h);
    }
  }
  for (index_t t = 0; t < c.tokens; ++t) {
    for (index_t h = 0; h < c.latent; ++h) at(dy, t, h) = at(latent, t, h);
  }
  linear_back const expected = multiply_back(x, w, dy);
  tp_mesh const grid{c.ranks};
  gradient_judge judge;
  run_judged<tp>(judge, grid, 1, [&](tp_tools& tools) {
    auto const local_x = all_of<T>(x);
    auto const local_w = all_of<T>(w);
    auto const local_b = all_of<T>(b);
    auto const local_latent = all_of<T>(latent);
    auto const local_rope = all_of<T>(ropes[static_cast<std::size_t>(tools.rank)]);
    heddle::sliced_linear<T> weights{{.weight = matrix_of(local_w, w[0], w[1]), .full_out = w[0], .full_in = in},
                                     c.latent};
    if (c.bias) weights.projection.bias = vector_of(local_b);
    std::tuple const back{heddle::activation<T const>{rows_of(local_latent, c.tokens, c.latent), c.latent},
                          heddle::activation<T const>{rows_of(local_rope, c.tokens, c.rope), c.rope}};
    auto const got = every_way<Style>(tools, judge, weights, rows_of(local_x, c.tokens, in), back);
    judge.compare("x", got.dx[0], expected.x, box::all(x.shape));
    judge.give(0, {tools.rank, got.gradients[0], box::all(w.shape)});
    judge.give(1, {tools.rank, got.gradients[1], c.bias ? box::all(b.shape) : box{{{}}}});
  });
  reduce_all<heddle::parameter_gradients_t<typename Style::forward>>(judge, grid,
                                                                     {{"weight", expected.w}, {"bias", expected.b}});
  return judge.found();
}

}  // namespace support
