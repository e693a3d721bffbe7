// SPDX-License-Identifier: Apache-2.0
// A plan on a grid, as numbers and texts: what hf_forward prints before it runs.
#pragma once

#include "choice.hpp"
#include "model.hpp"

namespace hf {

struct planned_parameter {
  std::string name, style;
  heddle::shape_t whole;
  std::vector<heddle::shape_t> parts;  ///< of every rank
};

/// One collective of a layer.
struct planned_step {
  std::string where;  ///< the module it belongs to
  std::string operation, group;
  std::vector<index_t> bytes;  ///< that every rank sends
  bool about =
      false;  ///< the figure supposes that experts are chosen equally often and ranks bring equally many tokens
};

/// What `describe` says of a style.
struct planned_text {
  std::string where, forward, backward;
};

/// A kind of layer and how often the model has it.
struct planned_layer {
  std::string title;
  index_t times = 1;
  std::vector<planned_parameter> parameters;
  std::vector<planned_step> steps;
  std::vector<planned_text> texts;
};

[[nodiscard]] std::vector<planned_layer> plan_table(model const& whole, choice const& chosen, grid_type const& grid,
                                                    batch const& tokens);

/// What the plan says a rank sends over a group in a whole forward pass.
[[nodiscard]] index_t planned_bytes(std::vector<planned_layer> const& table, std::string_view group, int rank);

/// "0-2, 5": a list of numbers in ascending order.
[[nodiscard]] std::string text_of_numbers(std::vector<int> const& numbers);

}  // namespace hf
