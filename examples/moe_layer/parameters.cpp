// SPDX-License-Identifier: Apache-2.0
#include "parameters.hpp"

#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/shard.hpp>

namespace probe {

namespace {

using heddle::box;
using heddle::range;
namespace name = tensor_name;

/// The part of a parameter that a rank owns.
template <class T>
box part_of(problem<T> const& of, std::string const& tensor, heddle::expert_mesh const& mesh, int rank) {
  using heddle::both;
  using heddle::grouped_gemm;
  using first = both<grouped_gemm<ep>, heddle::packed_colwise<etp>>;
  using second = both<grouped_gemm<ep>, heddle::rowwise<etp>>;
  heddle::shape_t const& shape = of.at(tensor).shape;
  if (tensor == name::gate_up_proj) return heddle::shard_weight<first>(shape, mesh, rank);
  if (tensor == name::down_proj) return heddle::shard_weight<second>(shape, mesh, rank);
  return box::all(shape);
}

/// visit(offset in the whole tensor, offset in the part, length) for every run of neighbours in a part.
template <class Visit>
void each_run(heddle::shape_t const& shape, box const& part, Visit const& visit, std::size_t axis, index_t from,
              index_t& to) {
  for (range const piece : part.axes[axis]) {
    if (axis + 1 == part.axes.size()) {
      visit(from * shape[axis] + piece.begin, to, piece.size);
      to += piece.size;
      continue;
    }
    for (index_t i = piece.begin; i < piece.end(); ++i)
      each_run(shape, part, visit, axis + 1, from * shape[axis] + i, to);
  }
}
template <class Visit>
void each_run(heddle::shape_t const& shape, box const& part, Visit const& visit) {
  index_t to = 0;
  each_run(shape, part, visit, 0, 0, to);
}

}  // namespace

range own_tokens(index_t tokens, int ranks, int rank) { return heddle::balanced::piece(tokens, ranks, rank); }

template <class T>
parameters<T>::parameters(problem<T> const& of, heddle::expert_mesh const& mesh, int rank) {
  auto const cut = [&](std::string const& tensor) {
    array<T> const& whole = of.at(tensor);
    box const part = part_of(of, tensor, mesh, rank);
    std::vector<T>& own = memory_[tensor];
    own.resize(static_cast<std::size_t>(part.count()));
    each_run(whole.shape, part, [&](index_t from, index_t to, index_t size) {
      std::copy_n(whole.values.begin() + from, size, own.begin() + to);
    });
    return part.shape();
  };
  auto const experts = [&](std::string const& tensor) {
    heddle::shape_t const own = cut(tensor);
    heddle::shape_t const& whole = of.at(tensor).shape;
    heddle::extents<heddle::experts, heddle::out_features, heddle::in_features> const shape{own[0], own[1], own[2]};
    return heddle::expert_linear<T>{
        .weight = {memory_[tensor].data(), shape}, .full_experts = whole[0], .full_out = whole[1], .full_in = whole[2]};
  };
  cut(name::router_weight);
  weights_.gate = {.weight = {memory_[name::router_weight].data(),
                              heddle::extents<heddle::out_features, heddle::in_features>{of.experts, of.hidden}},
                   .full_out = of.experts,
                   .full_in = of.hidden};
  if (of.find(name::router_bias) != nullptr) {
    cut(name::router_bias);
    weights_.gate.bias = {memory_[name::router_bias].data(), heddle::extents<heddle::hidden>{of.experts}};
  }
  weights_.fc1 = experts(name::gate_up_proj);
  weights_.fc2 = experts(name::down_proj);
  weights_.top_k = of.settings.top_k;
  weights_.route_scale = static_cast<decltype(weights_.route_scale)>(of.settings.scale);
}

template <class T>
std::vector<T> gather(communicator& world, std::span<T const> mine, std::span<index_t const> sizes) {
  std::vector<index_t> to(sizes.size(), 0), from(sizes.size(), 0);
  to[0] = static_cast<index_t>(mine.size());
  index_t total = 0;
  if (world.rank() == 0) {
    from.assign(sizes.begin(), sizes.end());
    for (index_t const size : sizes) total += size;
  }
  std::vector<T> all(static_cast<std::size_t>(total));
  world.all_to_all(mine, to, std::span<T>{all}, from);
  return all;
}

template <class T>
std::vector<T> gather_rows(communicator& world, std::span<T const> mine, index_t tokens, index_t width) {
  std::vector<index_t> sizes;
  for (int rank = 0; rank < world.size(); ++rank) sizes.push_back(own_tokens(tokens, world.size(), rank).size * width);
  return gather(world, mine, sizes);
}

template <class T>
std::map<std::string, std::vector<T>> gather_gradients(communicator& world, problem<T> const& of,
                                                       heddle::expert_mesh const& mesh, gradients_of<T> const& mine) {
  std::map<std::string, std::vector<T>> result;
  auto const collect = [&](std::string const& tensor, auto const& view, bool whole_on_each) {
    if (of.find(tensor) == nullptr) return;
    // One rank of those that have the same part sends it.
    auto const sends = [&](int rank) { return whole_on_each ? rank == 0 : mesh.template coordinate<edp>(rank) == 0; };
    std::vector<index_t> sizes;
    for (int rank = 0; rank < world.size(); ++rank)
      sizes.push_back(sends(rank) ? part_of(of, tensor, mesh, rank).count() : 0);
    std::span<T const> own{view.data(), static_cast<std::size_t>(view.count())};
    if (!sends(world.rank())) own = {};
    std::vector<T> const all = gather(world, own, sizes);
    if (world.rank() != 0) return;
    heddle::shape_t const& shape = of.at(tensor).shape;
    std::vector<T>& to = result[tensor];
    to.resize(of.at(tensor).values.size());
    auto piece = all.begin();
    for (int rank = 0; rank < world.size(); ++rank) {
      if (!sends(rank)) continue;
      each_run(shape, part_of(of, tensor, mesh, rank),
               [&](index_t where, index_t from, index_t size) { std::copy_n(piece + from, size, to.begin() + where); });
      piece += sizes[static_cast<std::size_t>(rank)];
    }
  };
  collect(name::router_weight, mine.gate.weight, true);
  collect(name::router_bias, mine.gate.bias, true);
  collect(name::gate_up_proj, mine.fc1.weight, false);
  collect(name::down_proj, mine.fc2.weight, false);
  return result;
}

template class parameters<float>;
template class parameters<double>;
template std::vector<float> gather(communicator&, std::span<float const>, std::span<index_t const>);
template std::vector<double> gather(communicator&, std::span<double const>, std::span<index_t const>);
template std::vector<float> gather_rows(communicator&, std::span<float const>, index_t, index_t);
template std::vector<double> gather_rows(communicator&, std::span<double const>, index_t, index_t);
template std::vector<index_t> gather_rows(communicator&, std::span<index_t const>, index_t, index_t);
template std::map<std::string, std::vector<float>> gather_gradients(communicator&, problem<float> const&,
                                                                    heddle::expert_mesh const&,
                                                                    gradients_of<float> const&);
template std::map<std::string, std::vector<double>> gather_gradients(communicator&, problem<double> const&,
                                                                     heddle::expert_mesh const&,
                                                                     gradients_of<double> const&);

}  // namespace probe
