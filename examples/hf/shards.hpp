// SPDX-License-Identifier: Apache-2.0
// The parameters as one rank owns them, loaded and kept alive.
#pragma once

#include "parameters.hpp"
#include <atomic>
#include <heddle/checkpoint/read.hpp>
#include <heddle/checkpoint/store.hpp>
#include <heddle/compute/parameter.hpp>
#include <map>

namespace hf {

/// Bytes loaded so far, by all ranks of this process.
using progress = std::atomic<std::size_t>;

template <heddle::element T>
class shards {
 public:
  /// Reads the parts that `rank` owns, and no other byte of the files. Ranks that own the same part share it through
  /// `store`.
  void load(family model, std::vector<parameter> const& all, heddle::checkpoint::archive const& files,
            heddle::checkpoint::shard_store& store, grid_type const& grid, int rank, progress& done) {
    for (parameter const& each : all) {
      heddle::box const part = part_of(model, each, grid, rank);
      auto const read_as = [&]<class As>(auto& into) {
        auto bytes = store.get<As>(each.store_name, part, [&](std::span<As> out) {
          heddle::checkpoint::read<As>(files, each.sources, each.shape, part, out);
        });
        done += bytes.values.size_bytes();
        into.emplace(each.name, shard<As>{std::move(bytes), part.shape(), each.shape});
      };
      if (each.exact) read_as.template operator()<float>(exact_);
      else read_as.template operator()<T>(owned_);
    }
  }

  [[nodiscard]] heddle::linear<T> linear(std::string const& module) const {
    shard<T> const& weight = at(module + ".weight");
    heddle::linear<T> result{.weight = matrix_of(weight), .full_out = weight.whole[0], .full_in = weight.whole[1]};
    if (auto const bias = owned_.find(module + ".bias"); bias != owned_.end()) result.bias = vector_of(bias->second);
    return result;
  }
  /// A projection to `first` columns and the rest.
  [[nodiscard]] heddle::sliced_linear<T> sliced(std::string const& module, index_t first) const {
    return {linear(module), first};
  }
  [[nodiscard]] heddle::norm_weight<T> norm(std::string const& module, float epsilon) const {
    return {vector_of(at(module + ".weight")), epsilon};
  }
  [[nodiscard]] heddle::embedding_table<T> table(std::string const& module) const {
    shard<T> const& weight = at(module + ".weight");
    return {matrix_of(weight), weight.whole[0], weight.whole[1]};
  }
  [[nodiscard]] heddle::moe_weights<T> moe(std::string const& module, config const& model) const {
    heddle::moe_weights<T> result{.gate = linear(module + ".gate"),
                                  .fc1 = experts(module + ".experts.gate_up_proj"),
                                  .fc2 = experts(module + ".experts.down_proj"),
                                  .top_k = model.top_k,
                                  .route_scale = static_cast<double>(model.route_scale),
                                  .groups = model.groups,
                                  .groups_kept = model.groups_kept};
    if (auto const bias = exact_.find(module + ".gate.e_score_correction_bias"); bias != exact_.end())
      result.expert_bias = vector_of(bias->second);
    return result;
  }

 private:
  template <class As>
  struct shard {
    heddle::checkpoint::shared_shard<As> bytes;
    heddle::shape_t part, whole;
  };

  [[nodiscard]] shard<T> const& at(std::string const& name) const {
    auto const found = owned_.find(name);
    if (found == owned_.end()) throw heddle::error(heddle::error_kind::plan, "the model has no parameter " + name);
    return found->second;
  }
  static heddle::matrix<T const> matrix_of(shard<T> const& from) {
    return {from.bytes.values.data(),
            heddle::extents<heddle::out_features, heddle::in_features>{from.part[0], from.part[1]}};
  }
  template <class As>
  static heddle::vector_view<As const> vector_of(shard<As> const& from) {
    return {from.bytes.values.data(), heddle::extents<heddle::hidden>{from.part[0]}};
  }
  [[nodiscard]] heddle::expert_linear<T> experts(std::string const& name) const {
    shard<T> const& from = at(name);
    heddle::extents<heddle::experts, heddle::out_features, heddle::in_features> const shape{from.part[0], from.part[1],
                                                                                            from.part[2]};
    return {.weight = {from.bytes.values.data(), shape},
            .full_experts = from.whole[0],
            .full_out = from.whole[1],
            .full_in = from.whole[2]};
  }

  std::map<std::string, shard<T>> owned_;
  std::map<std::string, shard<float>> exact_;
};

}  // namespace hf
