// SPDX-License-Identifier: Apache-2.0
// A style whose tokens are dealt to data groups: several micro-batches, one reduction, and every rank's gradients and
// their norm against the dense ones.
#pragma once

#include "backward_trial.hpp"

#include <heddle/layer/gradient_norm.hpp>

namespace support {

using heddle::cp;
using heddle::dp;
using heddle::joint;
using data_mesh = heddle::mesh<tp, cp, dp>;
using data_tools = rank_tools<data_mesh, tp, cp, dp, joint<cp, dp>>;
template <class Group>
using dealt_on = heddle::on<Group, heddle::sharded<heddle::tokens, heddle::as_given>>;
/// Tokens lie on the dp and cp of the mesh, which no style mentions.
using over_data = heddle::placement<dealt_on<dp>, dealt_on<cp>>;

/// Every way to lay 1, 2, 4, 6 and 8 ranks out over tp, cp and dp.
inline std::vector<data_mesh> data_meshes() {
  std::vector<data_mesh> found;
  for (int const world : {1, 2, 4, 6, 8}) {
    for (int t = 1; t <= world; ++t) {
      for (int c = 1; t * c <= world; ++c) {
        if (world % (t * c) == 0) found.emplace_back(t, c, world / t / c);
      }
    }
  }
  return found;
}
inline std::string text(data_mesh const& grid) {
  return "tp " + std::to_string(grid.size<tp>()) + " cp " + std::to_string(grid.size<cp>()) + " dp " +
         std::to_string(grid.size<dp>());
}

/// The part of [tokens, features] that a rank has: tokens dealt to dp, within that to cp, and then as `how` says.
inline box dealt_part(lies how, shape_t const& shape, data_mesh const& grid, int rank) {
  box part = box::all(shape);
  part.cut<heddle::balanced>(0, grid.size<dp>(), grid.coordinate<dp>(rank));
  part.cut<heddle::balanced>(0, grid.size<cp>(), grid.coordinate<cp>(rank));
  box inner = part_of(how, part.shape(), grid.size<tp>(), grid.coordinate<tp>(rank));
  for (auto& piece : inner.axes[0]) piece.begin += part.axes[0][0].begin;
  return inner;
}

/// The p-norm of whole tensors.
template <class Norm>
double norm_of(std::vector<tensor> const& gradients) {
  double total = 0;
  for (tensor const& gradient : gradients) {
    for (double const value : gradient.data) {
      double const size = std::abs(value);
      if constexpr (std::same_as<Norm, heddle::norm_inf>) total = std::max(total, size);
      else total += std::same_as<Norm, heddle::norm_1> ? size : size * size;
    }
  }
  return std::same_as<Norm, heddle::norm_2> ? std::sqrt(total) : total;
}

/// What every trial does with the reduced gradients of a style: they equal `dense`, and so do their norms.
template <class Style, class Tools, class Gradients>
void judge_reduced(Tools& tools, gradient_judge& judge, Gradients const& gradients, gradient_lists const& lists,
                   std::vector<std::pair<std::string, tensor>> const& dense, std::vector<box> const& parts) {
  std::vector<tensor> whole;
  for (std::size_t i = 0; i < dense.size(); ++i) {
    judge.compare(dense[i].first, lists[i], dense[i].second, parts[i]);
    whole.push_back(dense[i].second);
  }
  auto const check = [&]<class Norm>(Norm) {
    heddle::gradient_norm<Norm, tp, dp, joint<cp, dp>> norm;
    norm.template add<Style>(tools.execution, gradients);
    judge.compare("norm", {norm.over(tools.execution)}, {{1}, {norm_of<Norm>(whole)}}, box::all({1}));
  };
  check(heddle::norm_1{});
  check(heddle::norm_2{});
  check(heddle::norm_inf{});
}

/// y = x W^T + b by `Style`, `batches` times; expects dense gradients times `factor`.
template <class Style, class Reduction = heddle::sum, class Start = over_data, class T = double>
outcome dealt_linear(data_mesh const& grid, linear_case const& c, lies input, lies output, int batches = 1,
                     double factor = 1) {
  tensor const w = rounded<T>(distinct({c.out, c.in}, 2, 0.5));
  tensor const b = rounded<T>(distinct({c.out}, 3));
  std::vector<tensor> x, dy;
  tensor dw = zeros(w.shape), db = zeros(b.shape);
  std::vector<tensor> dx;
  for (int batch = 0; batch < batches; ++batch) {
    x.push_back(rounded<T>(distinct({c.tokens, c.in}, 10 + static_cast<std::uint64_t>(batch))));
    dy.push_back(rounded<T>(distinct({c.tokens, c.out}, 30 + static_cast<std::uint64_t>(batch))));
    linear_back const one = multiply_back(x.back(), w, dy.back());
    dw = sum_of(dw, one.w);
    db = sum_of(db, one.b);
    dx.push_back(one.x);
  }
  gradient_judge judge;
  run_judged<tp, cp, dp, joint<cp, dp>>(judge, grid, c.threads, [&](data_tools& tools) {
    box const own_w = heddle::shard_weight<Style>(w.shape, grid, tools.rank);
    box const own_b = heddle::shard_bias<Style>(b.shape, grid, tools.rank);
    auto const local_w = cut<T>(w, own_w);
    auto const local_b = cut<T>(b, own_b);
    heddle::linear<T> weights{
        .weight = matrix_of(local_w, own_w.shape()[0], own_w.shape()[1]), .full_out = c.out, .full_in = c.in};
    if (c.bias) weights.bias = vector_of(local_b);
    heddle::host::workspace::scope const whole_step{tools.scratch};
    auto const gradients = heddle::zero_gradients(tools.execution, weights);
    for (std::size_t batch = 0; batch < x.size(); ++batch) {
      heddle::host::workspace::scope const one_batch{tools.scratch};
      box const own_x = dealt_part(input, x[batch].shape, grid, tools.rank);
      box const own_y = dealt_part(output, dy[batch].shape, grid, tools.rank);
      auto const local_x = cut<T>(x[batch], own_x);
      auto const local_dy = cut<T>(dy[batch], own_y);
      heddle::activation<T const> const in{rows_of(local_x, own_x.shape()[0], own_x.shape()[1]), c.in};
      heddle::activation<T const> const back{rows_of(local_dy, own_y.shape()[0], own_y.shape()[1]), c.out};
      auto const [y, saved] = heddle::forward<Style>(tools.execution, weights, in);
      auto const result = heddle::backward<Style>(tools.execution, weights, saved, back, gradients);
      judge.compare("x", doubles(result.dx), dx[batch], own_x);
    }
    heddle::reduce_gradients<Reduction, Style, Start>(tools.execution, gradients);
    std::vector<std::pair<std::string, tensor>> dense{{"weight", scaled(dw, factor)}};
    if (c.bias) dense.emplace_back("bias", scaled(db, factor));
    judge_reduced<Style>(tools, judge, gradients, lists_of<Style>(gradients), dense, {own_w, own_b});
  });
  return judge.found();
}

/// The gradient of an embedding table.
template <class Style, class Reduction = heddle::sum, class Start = over_data, class T = double>
outcome dealt_embedding(data_mesh const& grid, embedding_case const& c, lies output, double factor = 1) {
  std::vector<std::int64_t> ids;
  for (index_t t = 0; t < c.tokens; ++t) ids.push_back((t * t * 7 + c.vocab - 1) % c.vocab);
  tensor const table = rounded<T>(distinct({c.vocab, c.width}, 4));
  tensor const dy = rounded<T>(distinct({c.tokens, c.width}, 5));
  gradient_judge judge;
  run_judged<tp, cp, dp, joint<cp, dp>>(judge, grid, 2, [&](data_tools& tools) {
    box const own = heddle::shard_weight<Style>(table.shape, grid, tools.rank);
    box const own_ids = dealt_part(lies::whole, {c.tokens, 1}, grid, tools.rank);
    box const own_y = dealt_part(output, dy.shape, grid, tools.rank);
    auto const local = cut<T>(table, own);
    auto const local_dy = cut<T>(dy, own_y);
    heddle::embedding_table<T> const weights{matrix_of(local, own.shape()[0], own.shape()[1]), c.vocab, c.width};
    heddle::token_ids<> const in{{ids.data() + own_ids.axes[0][0].begin,  //
                                  heddle::extents<heddle::tokens>{own_ids.shape()[0]}}};
    heddle::activation<T const> const back{rows_of(local_dy, own_y.shape()[0], own_y.shape()[1]), c.width};
    heddle::host::workspace::scope const step{tools.scratch};
    auto const [y, saved] = heddle::forward<Style>(tools.execution, weights, in);
    auto const gradients = heddle::backward<Style>(tools.execution, weights, saved, back).gradients;
    heddle::reduce_gradients<Reduction, Style, Start>(tools.execution, gradients);
    judge_reduced<Style>(tools, judge, gradients, {doubles(gradients.weight)},
                         {{"table", scaled(lookup_back(ids, table.shape, dy), factor)}}, {own});
  });
  return judge.found();
}

/// The gradient of a norm's weight.
template <class Style, class Reduction = heddle::sum, class Start = over_data, class T = double>
outcome dealt_norm(data_mesh const& grid, norm_case const& c, lies where, bool by_head, double factor = 1) {
  tensor const x = rounded<T>(distinct({c.tokens, c.heads * c.head_width}, 5));
  tensor const w = rounded<T>(distinct({by_head ? c.head_width : c.heads * c.head_width}, 6));
  tensor const dy = rounded<T>(distinct(x.shape, 7));
  norm_back const expected = rms_norm_back(x, w, static_cast<double>(1e-5F), dy);
  gradient_judge judge;
  run_judged<tp, cp, dp, joint<cp, dp>>(judge, grid, 1, [&](data_tools& tools) {
    box const own = dealt_part(where, x.shape, grid, tools.rank);
    box const own_w = heddle::shard_weight<Style>(w.shape, grid, tools.rank);
    auto const local_x = cut<T>(x, own);
    auto const local_dy = cut<T>(dy, own);
    auto const local_w = cut<T>(w, own_w);
    heddle::norm_weight<T> const weights{vector_of(local_w), 1e-5F, w[0]};
    heddle::activation<T const> const in{rows_of(local_x, own.shape()[0], own.shape()[1]), x[1]};
    heddle::activation<T const> const back{rows_of(local_dy, own.shape()[0], own.shape()[1]), x[1]};
    heddle::host::workspace::scope const step{tools.scratch};
    auto const [y, saved] = heddle::forward<Style>(tools.execution, weights, in);
    auto const [dx, gradients] = heddle::backward<Style>(tools.execution, weights, saved, back);
    judge.compare("x", doubles(dx), expected.x, own);
    heddle::reduce_gradients<Reduction, Style, Start>(tools.execution, gradients);
    judge_reduced<Style>(tools, judge, gradients, lists_of<Style>(gradients), {{"weight", scaled(expected.w, factor)}},
                         {own_w});
  });
  return judge.found();
}

}  // namespace support
