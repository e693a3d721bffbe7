// SPDX-License-Identifier: Apache-2.0
#include "parameters.hpp"

#include <algorithm>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/expert/plain_expert.hpp>
#include <heddle/style/shard.hpp>

namespace probe {

namespace {

using heddle::box;
using heddle::range;
namespace name = tensor_name;

/// How an expert's matrix and its bias are cut.
template <class Weight, class Bias>
struct cut_by {
  using weight = Weight;
  using bias = Bias;
};

/// The part of a parameter that a rank owns.
template <class Parts>
box expert_part(std::string const& tensor, heddle::shape_t const& shape, heddle::expert_mesh const& mesh, int rank) {
  using first = cut_by<typename Parts::fc1_weight, typename Parts::fc1_weight>;
  using second = cut_by<typename Parts::fc2_weight, typename Parts::fc2_bias>;
  if (tensor == name::gate_up_proj) return heddle::shard_weight<first>(shape, mesh, rank);
  if (tensor == name::gate_up_bias) return heddle::shard_bias<first>(shape, mesh, rank);
  if (tensor == name::down_proj) return heddle::shard_weight<second>(shape, mesh, rank);
  if (tensor == name::down_bias) return heddle::shard_bias<second>(shape, mesh, rank);
  return box::all(shape);
}
box part_of(config const& is, std::string const& tensor, heddle::shape_t const& shape, heddle::expert_mesh const& mesh,
            int rank) {
  using plain = heddle::plain_expert<>::on_groups<ep, etp>;
  using halves = heddle::glu_expert<>::on_groups<ep, etp>;
  using interleaved = heddle::glu_expert<heddle::grouped, heddle::silu, heddle::interleaved>::on_groups<ep, etp>;
  if (!gated(is.activation)) return expert_part<plain>(tensor, shape, mesh, rank);
  if (is.glu_layout == layout_kind::halves) return expert_part<halves>(tensor, shape, mesh, rank);
  return expert_part<interleaved>(tensor, shape, mesh, rank);
}
bool is_of_experts(std::string const& tensor) {
  return tensor == name::gate_up_proj || tensor == name::gate_up_bias || tensor == name::down_proj ||
         tensor == name::down_bias;
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
parameters<T>::parameters(problem<T> const& of, heddle::expert_mesh const& mesh, int rank, bool biases) {
  using heddle::extents;
  config const& is = of.settings;
  // The part of a tensor; zeros where the file has none and somebody wants it.
  auto const cut = [&](std::string const& tensor, heddle::shape_t const& shape) {
    box const part = part_of(is, tensor, shape, mesh, rank);
    std::vector<T>& own = memory_[tensor];
    own.resize(static_cast<std::size_t>(part.count()));
    if (array<T> const* const whole = of.find(tensor)) {
      each_run(shape, part, [&](index_t from, index_t to, index_t size) {
        std::copy_n(whole->values.begin() + from, size, own.begin() + to);
      });
    }
    return part.shape();
  };
  auto const expert_matrix = [&](std::string const& tensor) {
    heddle::shape_t const& whole = of.at(tensor).shape;
    heddle::shape_t const own = cut(tensor, whole);
    extents<heddle::experts, heddle::out_features, heddle::in_features> const shape{own[0], own[1], own[2]};
    return heddle::expert_linear<T>{
        .weight = {memory_[tensor].data(), shape}, .full_experts = whole[0], .full_out = whole[1], .full_in = whole[2]};
  };
  auto const expert_bias = [&](std::string const& tensor, index_t width) {
    heddle::shape_t const own = cut(tensor, {of.experts, width});
    return heddle::expert_vectors<T const>{memory_[tensor].data(),
                                           extents<heddle::experts, heddle::out_features>{own[0], own[1]}};
  };
  auto const matrix = [&](std::string const& tensor) {
    if (of.find(tensor) == nullptr) return heddle::linear<T>{};
    heddle::shape_t const& whole = of.at(tensor).shape;
    cut(tensor, whole);
    extents<heddle::out_features, heddle::in_features> const shape{whole[0], whole[1]};
    return heddle::linear<T>{.weight = {memory_[tensor].data(), shape}, .full_out = whole[0], .full_in = whole[1]};
  };
  auto const vector = [&](std::string const& tensor) {
    if (of.find(tensor) == nullptr) return heddle::vector_view<T const>{};
    cut(tensor, {of.experts});
    return heddle::vector_view<T const>{memory_[tensor].data(), extents<heddle::hidden>{of.experts}};
  };
  weights_.gate = matrix(name::router_weight);
  weights_.gate.bias = vector(name::router_bias);
  weights_.expert_bias = vector(name::expert_bias);
  weights_.fc1 = expert_matrix(name::gate_up_proj);
  weights_.fc2 = expert_matrix(name::down_proj);
  if (biases) {
    weights_.fc1.bias = expert_bias(name::gate_up_bias, weights_.fc1.full_out);
    weights_.fc2.bias = expert_bias(name::down_bias, of.hidden);
  }
  weights_.shared = {.fc1 = matrix(name::shared_gate_up_proj),
                     .fc2 = matrix(name::shared_down_proj),
                     .gate = matrix(name::shared_gate_weight)};
  weights_.top_k = is.top_k;
  weights_.route_scale = is.scale;
  weights_.groups = is.groups;
  weights_.groups_kept = is.groups_kept;
  // An expert cannot get more than every token: from a factor of E on nothing is dropped, and rooms stay countable.
  double const most = is.pad_to_capacity ? is.capacity_factor.value_or(1) : static_cast<double>(of.experts);
  weights_.options = {.capacity_factor = std::min(is.capacity_factor.value_or(1), most),
                      .aux_coeff = is.aux_loss_coeff.value_or(0),
                      .z_coeff = is.z_loss_coeff.value_or(0),
                      .sequence_length = is.sequence_length};
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
                                                       heddle::expert_mesh const& mesh,
                                                       heddle::moe_gradients<T> const& mine) {
  std::map<std::string, std::vector<T>> result;
  auto const collect = [&](std::string const& tensor, auto const& view) {
    if (of.find(tensor) == nullptr) return;
    heddle::shape_t const& shape = of.at(tensor).shape;
    // One rank of those that have the same part sends it.
    auto const sends = [&](int rank) {
      if (!is_of_experts(tensor)) return rank == 0;
      bool const once = tensor != name::down_bias || mesh.template coordinate<etp>(rank) == 0;
      return once && mesh.template coordinate<edp>(rank) == 0;
    };
    std::vector<index_t> sizes;
    for (int rank = 0; rank < world.size(); ++rank)
      sizes.push_back(sends(rank) ? part_of(of.settings, tensor, shape, mesh, rank).count() : 0);
    std::span<T const> own{view.data(), static_cast<std::size_t>(view.count())};
    if (!sends(world.rank())) own = {};
    std::vector<T> const all = gather(world, own, sizes);
    if (world.rank() != 0) return;
    std::vector<T>& to = result[tensor];
    to.resize(of.at(tensor).values.size());
    auto piece = all.begin();
    for (int rank = 0; rank < world.size(); ++rank) {
      if (!sends(rank)) continue;
      each_run(shape, part_of(of.settings, tensor, shape, mesh, rank),
               [&](index_t where, index_t from, index_t size) { std::copy_n(piece + from, size, to.begin() + where); });
      piece += sizes[static_cast<std::size_t>(rank)];
    }
  };
  collect(name::router_weight, mine.gate.weight);
  collect(name::router_bias, mine.gate.bias);
  collect(name::gate_up_proj, mine.fc1.weight);
  collect(name::gate_up_bias, mine.fc1.bias);
  collect(name::down_proj, mine.fc2.weight);
  collect(name::down_bias, mine.fc2.bias);
  collect(name::shared_gate_up_proj, mine.shared.fc1.weight);
  collect(name::shared_down_proj, mine.shared.fc2.weight);
  collect(name::shared_gate_weight, mine.shared.gate.weight);
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
                                                                    heddle::moe_gradients<float> const&);
template std::map<std::string, std::vector<double>> gather_gradients(communicator&, problem<double> const&,
                                                                     heddle::expert_mesh const&,
                                                                     heddle::moe_gradients<double> const&);

}  // namespace probe
