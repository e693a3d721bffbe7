// SPDX-License-Identifier: Apache-2.0
// A router on some ranks, forward and backward, against the oracle: who was chosen, weights, counts, losses, and the
// gradients of tokens, matrix and bias.
#pragma once

#include "oracle_draw.hpp"
#include "ranks.hpp"
#include "relative.hpp"

#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <mutex>

namespace support {

using expert_grid = heddle::mesh<heddle::etp, heddle::ep, heddle::edp>;
/// Tokens that are dealt out over the ranks of a group.
template <class Group>
using tokens_on = heddle::on<Group, heddle::sharded<heddle::tokens, heddle::as_given>>;

/// What ranks have made of a router, for all tokens.
struct routed_batch {
  std::vector<std::int64_t> ids;
  std::vector<double> weights, dhidden, dgate, dbias;
  std::vector<index_t> kept, dropped;
  std::vector<double> aux, z;             ///< of every rank
  std::map<std::string, double> sizes{};  ///< of the oracle's numbers

  void add(std::vector<index_t>& to, std::span<index_t const> counts) {
    if (to.empty()) to.resize(counts.size());
    for (std::size_t e = 0; e < counts.size(); ++e) to[e] += counts[e];
  }
};

/// What the router of `of` takes besides its tokens.
template <class T>
struct router_parameters {
  explicit router_parameters(oracle::layer const& of)
      : gate{values<T>(of.find("router.weight"))},
        bias{values<T>(of.find("router.bias"))},
        expert_bias{values<heddle::accumulator_t<T>>(of.find("expert_bias"))} {
    index_t const e = of.experts();
    auto const& is = of.is;
    weights.gate = {.weight = matrix_of(gate, e, of.hidden()), .full_out = e, .full_in = of.hidden()};
    if (!bias.empty()) weights.gate.bias = vector_of(bias);
    if (!expert_bias.empty()) weights.expert_bias = vector_of(expert_bias);
    weights.top_k = is.top_k;
    weights.route_scale = is.scale;
    weights.groups = is.groups;
    weights.groups_kept = is.groups_kept;
    weights.options.capacity_factor = is.capacity_factor.value_or(1);
    weights.options.aux_coeff = is.aux_loss_coeff.value_or(0);
    weights.options.z_coeff = is.z_loss_coeff.value_or(0);
    weights.options.sequence_length = is.sequence_length;
  }
  router_parameters(router_parameters const&) = delete;
  router_parameters& operator=(router_parameters const&) = delete;

  template <class To>
  static std::vector<To> values(tensor const* from) {
    return from == nullptr ? std::vector<To>{} : all_of<To>(*from);
  }

  std::vector<T> gate, bias;
  std::vector<heddle::accumulator_t<T>> expert_bias;
  heddle::moe_weights<T> weights{};
};

/// Runs `Router` with tokens dealt to all ranks; `dweights` [T, K] is the gradient of its weights.
template <class Router, class T = double>
routed_batch run_router(expert_grid const& grid, oracle::layer const& of, std::vector<double> const& dweights,
                        std::uint64_t seed = 0, double jitter = 0) {
  using namespace heddle;
  using style = route_stage<Router>;
  routed_batch batch;
  std::mutex mutex;
  index_t const height = of.tokens();
  index_t const width = of.hidden();
  auto const slots = static_cast<index_t>(height == 0 ? 1 : dweights.size() / static_cast<std::size_t>(height));
  batch.ids.assign(dweights.size(), -2);
  batch.weights.resize(dweights.size());
  batch.dhidden.resize(static_cast<std::size_t>(height * width));
  auto const hidden = all_of<T>(of.at("hidden"));
  on_ranks<etp, ep, edp>(grid, 1, [&](auto& tools) {
    index_t const own = height / grid.world() + (tools.rank < height % grid.world() ? 1 : 0);
    index_t const first = height / grid.world() * tools.rank + std::min<index_t>(tools.rank, height % grid.world());
    router_parameters<T> with{of};
    with.weights.options.jitter = jitter;
    std::unique_ptr<bool[]> padding{new bool[static_cast<std::size_t>(own) + 1]};
    for (index_t t = 0; t < own; ++t) padding[static_cast<std::size_t>(t)] = !of.valid(first + t);
    step_state<> state;
    if (!of.padding.empty()) state.inputs.padding = {padding.get(), extents<tokens>{own}};
    state.inputs.first_token = first;
    state.inputs.seed = seed;
    rows<T const> const x{hidden.data() + first * width, extents<tokens, heddle::hidden>{own, width}};
    auto const [y, saved] = forward<style>(tools.execution, with.weights, x, state);
    auto const given = std::get<1>(y);
    using weight = std::remove_cvref_t<decltype(given.weights(0, 0))>;
    std::vector<T> const dx(static_cast<std::size_t>(own * width));
    std::vector<weight> dw;
    for (index_t i = first * slots; i < (first + own) * slots; ++i)
      dw.push_back(static_cast<weight>(dweights[static_cast<std::size_t>(i)]));
    std::tuple const dy{activation<T const>{{dx.data(), x.shape()}, width},
                        gates<host_memory, weight>{{dw.data(), given.weights.shape()}}};
    auto const [dhidden, gradients] = backward<style>(tools.execution, with.weights, saved, dy);
    using start = placement<tokens_on<etp>, tokens_on<ep>, tokens_on<edp>>;
    reduce_gradients<sum, style, start>(tools.execution, gradients);
    std::lock_guard const lock{mutex};
    for (index_t i = 0; i < own * slots; ++i) {
      auto const at = static_cast<std::size_t>(first * slots + i);
      batch.ids[at] = given.ids.data()[i];
      batch.weights[at] = static_cast<double>(given.weights.data()[i]);
      if (state.routing.ids.data()[i] != given.ids.data()[i]) batch.ids[at] = -3;
    }
    for (index_t i = 0; i < own * width; ++i)
      batch.dhidden[static_cast<std::size_t>(first * width + i)] = static_cast<double>(dhidden.data.data()[i]);
    batch.add(batch.kept, state.report.kept);
    batch.add(batch.dropped, state.report.dropped);
    batch.aux.push_back(state.report.aux);
    batch.z.push_back(state.report.z);
    if (tools.rank != 0) return;
    for (index_t i = 0; i < gradients.gate.weight.count(); ++i)
      batch.dgate.push_back(static_cast<double>(gradients.gate.weight.data()[i]));
    for (index_t i = 0; i < gradients.gate.bias.count(); ++i)
      batch.dbias.push_back(static_cast<double>(gradients.gate.bias.data()[i]));
  });
  return batch;
}

/// The same by the oracle, which is given the number of chunks that capacities are counted in.
inline routed_batch oracle_router(oracle::layer const& of, std::vector<double> const& dweights, index_t chunks) {
  using oracle::at;
  auto const& is = of.is;
  using real = oracle::measured;
  oracle::routing_of<real> const to = oracle::route<real>(of, chunks);
  oracle::loss_terms<real> const with = oracle::losses_of(of, to);
  routed_batch batch;
  for (index_t const id : to.indices) batch.ids.push_back(id);
  batch.kept = to.kept;
  batch.dropped = to.dropped;
  index_t const width = of.hidden();
  oracle::array<real> dhidden{{of.tokens(), width}}, dgate{{of.experts(), width}}, dbias{{0}}, weights{{0}};
  if (of.find("router.bias") != nullptr) dbias = oracle::array<real>{{of.experts()}};
  weights.data = to.weights;
  for (index_t t = 0; t < of.tokens(); ++t) {
    if (!of.valid(t)) continue;
    std::vector<real> dw;
    for (index_t k = t * is.top_k; k < (t + 1) * is.top_k; ++k)
      dw.emplace_back(to.indices[at(k)] < 0 ? 0 : dweights[at(k)]);
    auto dz = oracle::token_weights_gradient(is, to.logits[at(t)], to.scores[at(t)], to.chosen.data() + t * is.top_k,
                                             dw.data());
    for (index_t e = 0; e < of.experts(); ++e) {
      dz[at(e)] += with.dlogits[at(t)][at(e)];
      if (!dbias.data.empty()) dbias.data[at(e)] += dz[at(e)];
      for (index_t h = 0; h < width; ++h) {
        oracle::row(dgate, e)[h] += dz[at(e)] * oracle::row(of.at("hidden"), t)[h];
        oracle::row(dhidden, t)[h] += dz[at(e)] * oracle::row(of.at("router.weight"), e)[h];
      }
    }
  }
  batch.aux = {value_of(with.aux)};
  batch.z = {value_of(with.z)};
  batch.sizes = {{"aux", size_of(with.aux)}, {"z", size_of(with.z)}};
  auto const put = [&](char const* name, std::vector<double>& to_list, oracle::array<real> const& from) {
    to_list = oracle::values_of(from.data);
    batch.sizes[name] = from.size();
  };
  put("weights", batch.weights, weights);
  put("dhidden", batch.dhidden, dhidden);
  put("dgate", batch.dgate, dgate);
  put("dbias", batch.dbias, dbias);
  return batch;
}

/// The smallest gap on which a choice, a drop or a loss depends.
inline double margin_of_router(oracle::layer const& of, index_t chunks) {
  oracle::routing const to = oracle::route(of, chunks);
  return std::min(to.margin, oracle::losses_of(of, to).margin);
}

/// How two batches differ: nothing, or the first thing that does, by more than `tolerance` by the measure of
/// relative.hpp.
inline std::string difference(routed_batch const& got, routed_batch const& wanted, double tolerance) {
  std::string found;
  auto const complain = [&](std::string const& what) {
    if (found.empty()) found = what;
  };
  auto const reals = [&](std::string const& name, std::vector<double> const& a, std::vector<double> const& b) {
    auto const size = wanted.sizes.find(name);  // what ranks have has none
    std::string const wrong = relative_difference(a, b, tolerance, size == wanted.sizes.end() ? 0 : size->second);
    if (!wrong.empty()) complain(name + wrong);
  };
  if (got.ids != wanted.ids) complain("ids");
  reals("weights", got.weights, wanted.weights);
  reals("dhidden", got.dhidden, wanted.dhidden);
  reals("dgate", got.dgate, wanted.dgate);
  reals("dbias", got.dbias, wanted.dbias);
  if (got.kept != wanted.kept) complain("kept");
  auto const dropped = got.dropped.empty() ? std::vector<index_t>(got.kept.size()) : got.dropped;
  if (dropped != wanted.dropped) complain("dropped");
  for (std::size_t rank = 0; rank < got.aux.size(); ++rank) {
    if (got.aux[rank] != got.aux[0] || got.z[rank] != got.z[0]) complain("losses that differ between ranks");
    reals("aux", {got.aux[rank]}, wanted.aux);
    reals("z", {got.z[rank]}, wanted.z);
  }
  return found;
}

/// A layer of these sizes whose choices are further apart than rounding, and a gradient of its weights.
struct router_case {
  oracle::layer layer;
  std::vector<double> dweights;

  router_case(oracle::sizes const& of, oracle::settings const& is, index_t chunks, std::uint64_t seed = 1) {
    do {
      layer = oracle::filled(of, is, seed++);
    } while (margin_of_router(layer, chunks) < 1e-6);
    dweights = distinct({of.tokens, is.top_k}, seed).data;
  }
};

/// Every way to lay `world` ranks out as etp x ep x edp.
inline std::vector<expert_grid> grids_of(int world) {
  std::vector<expert_grid> found;
  for (int a = 1; a <= world; ++a) {
    for (int b = 1; a * b <= world; ++b) {
      if (world % (a * b) == 0) found.push_back(expert_grid{a, b, world / a / b});
    }
  }
  return found;
}

}  // namespace support
