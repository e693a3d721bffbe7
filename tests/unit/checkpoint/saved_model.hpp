// SPDX-License-Identifier: Apache-2.0
// What the tests of saving and loading share: a small model with a tensor for every sort of cut, its numbers, and what
// each rank of a mesh holds of it, element by element.
#pragma once

#include <atomic>
#include <csignal>
#include <heddle/checkpoint/save.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/shard.hpp>

#include "support.hpp"

namespace checkpoint_test {

using heddle::box;
using heddle::range;
using heddle::shape_t;
using grid_type = heddle::folding<>;

/// (tp and etp), ep and replicas; 20 meshes of 1, 2, 4 and 8 ranks.
inline std::vector<grid_type> all_grids() {
  std::vector<grid_type> grids;
  for (int world : {1, 2, 4, 8}) {
    for (int inner = 1; inner <= world; inner *= 2) {
      for (int ep = 1; inner * ep <= world; ep *= 2) {
        grids.emplace_back(heddle::dense_mesh{inner, world / inner},
                           heddle::expert_mesh{inner, ep, world / inner / ep});
      }
    }
  }
  return grids;
}

inline std::vector<std::pair<std::string, shape_t>> const& model_shapes() {
  static std::vector<std::pair<std::string, shape_t>> const shapes{
      {"embed", {11, 6}},    {"q", {10, 6}},          {"q.bias", {10}},    {"o", {6, 10}},
      {"norm", {6}},         {"gate_up", {5, 14, 6}}, {"down", {5, 6, 7}}, {"dealt", {13, 4}},
      {"moment", {5, 6, 7}}, {"none", {0, 3}},        {"scale", {}}};
  return shapes;
}

/// Replicas that deal out what they would hold alike: a matrix over dp and tp, and experts' FC2 over edp, ep and etp.
struct dealt_out {
  using weight = heddle::placement<heddle::on<heddle::dp, heddle::sharded<heddle::out_features, heddle::balanced>>,
                                   heddle::on<heddle::tp, heddle::sharded<heddle::out_features>>>;
};
struct dealt_down {
  using weight = heddle::placement<heddle::on<heddle::edp, heddle::sharded<heddle::out_features>>,
                                   heddle::on<heddle::ep, heddle::sharded<heddle::experts>>,
                                   heddle::on<heddle::etp, heddle::sharded<heddle::in_features>>>;
};

/// What a rank holds of one tensor.
inline box model_part(std::string const& name, shape_t const& shape, grid_type const& grid, int rank) {
  using heddle::ep, heddle::etp, heddle::tp;
  using experts = heddle::grouped_gemm<ep>;
  if (name == "embed") return heddle::shard_weight<heddle::embedding_rowwise<tp>>(shape, grid, rank);
  if (name == "q") return heddle::shard_weight<heddle::colwise<tp>>(shape, grid, rank);
  if (name == "q.bias") return heddle::shard_bias<heddle::colwise<tp>>(shape, grid, rank);
  if (name == "o") return heddle::shard_weight<heddle::rowwise<tp>>(shape, grid, rank);
  if (name == "gate_up")
    return heddle::shard_weight<heddle::both<experts, heddle::packed_colwise<etp>>>(shape, grid, rank);
  if (name == "down") return heddle::shard_weight<heddle::both<experts, heddle::rowwise<etp>>>(shape, grid, rank);
  if (name == "dealt") return heddle::shard_weight<dealt_out>(shape, grid, rank);
  if (name == "moment") return heddle::shard_weight<dealt_down>(shape, grid, rank);
  return box::all(shape);
}

/// Element `index` of a tensor: distinct over the model, and over versions of it.
inline float model_number(std::string const& name, std::int64_t index, int version) {
  float base = 0;
  for (auto const& [each, shape] : model_shapes()) {
    if (each == name) break;
    base += 1000;
  }
  return base + static_cast<float>(index) + 0.25F * static_cast<float>(version);
}

/// The local tensor of a box, element by element.
inline std::vector<float> model_values(std::string const& name, shape_t const& shape, box const& part,
                                       int version = 0) {
  std::vector<float> result;
  auto const visit = [&](auto const& self, std::size_t axis, std::int64_t offset) -> void {
    if (axis == shape.size()) return result.push_back(model_number(name, offset, version));
    for (range const own : part.axes[axis]) {
      for (std::int64_t i = own.begin; i < own.end(); ++i) self(self, axis + 1, offset * shape[axis] + i);
    }
  };
  visit(visit, 0, 0);
  return result;
}

/// What one rank passes to `save`.
struct rank_entries {
  std::vector<std::vector<float>> values;
  std::vector<heddle::checkpoint::shard_entry> entries;

  rank_entries(grid_type const& grid, int rank, int version = 0) {
    for (auto const& [name, shape] : model_shapes()) {
      box const part = model_part(name, shape, grid, rank);
      values.push_back(model_values(name, shape, part, version));
      entries.push_back(heddle::checkpoint::shard_of<float>(name, shape, part, values.back()));
    }
  }
  rank_entries(rank_entries const&) = delete;
};

/// Stops at step number `at` of all ranks together, by a signal that nothing can catch or by an error.
struct stopper {
  std::atomic<int>* count = nullptr;
  int at = 0;
  bool kills = false;
  void operator()(char const*) const {
    if (count == nullptr || count->fetch_add(1) != at) return;
    if (kills) ::kill(::getpid(), SIGKILL);
    throw heddle::error(heddle::error_kind::io, "the disk is full");
  }
};

/// Runs body(group) on the ranks of a world and returns the kind of error on each.
template <class Body>
std::vector<std::string> on_threads(int ranks, Body&& body) {
  std::vector<std::string> kinds(static_cast<std::size_t>(ranks));
  heddle::host::thread_world world{ranks};
  heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
    kinds[static_cast<std::size_t>(group.rank())] = kind_from([&] { body(group); });
  });
  return kinds;
}

inline std::vector<std::string> save_model(std::string const& path, grid_type const& grid, int version = 0,
                                           stopper steps = {}) {
  return on_threads(grid.world(), [&](heddle::host::thread_communicator& group) {
    rank_entries const mine{grid, group.rank(), version};
    heddle::checkpoint::save(group, path, mine.entries, {}, steps);
  });
}

}  // namespace checkpoint_test
