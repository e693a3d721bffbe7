// SPDX-License-Identifier: Apache-2.0
// The parameters of a model by the names that plans use, each with the tensors of the checkpoint it is made of: experts
// and gate|up are merged, whether or not the file has merged them.
#pragma once

#include "config.hpp"
#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/slice.hpp>
#include <heddle/mesh/folding.hpp>
#include <heddle/style/shard.hpp>

namespace hf {

using grid_type = heddle::folding<heddle::dense_mesh, heddle::expert_mesh>;

struct parameter {
  std::string name;
  heddle::parameter_kind kind = heddle::parameter_kind::weight;
  heddle::shape_t shape;
  std::vector<heddle::checkpoint::source> sources;
  /// The name shards are shared under: tied parameters have one.
  std::string store_name;
  /// Kept in f32 whatever the type of the run.
  bool exact = false;
};

/// All parameters of the model, each tensor looked up and checked. Throws where a tensor is missing, has another shape
/// than config.json says, does not hold floats, or belongs to no parameter, and where the model's plan does not fit.
[[nodiscard]] std::vector<parameter> parameters_of(config const& model, heddle::checkpoint::archive const& files);

/// The part of a parameter that a rank owns, by the model's plan.
[[nodiscard]] heddle::box part_of(family model, parameter const& whole, grid_type const& grid, int rank);

}  // namespace hf
