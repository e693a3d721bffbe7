// SPDX-License-Identifier: Apache-2.0
// The layer to run: the input file's tensors in one type, with sizes and settings that fit each other.
#pragma once

#include "config.hpp"
#include <cstdint>
#include <heddle/placement/box.hpp>
#include <map>
#include <variant>
#include <vector>

namespace probe {

template <class T>
struct array {
  heddle::shape_t shape;
  std::vector<T> values;
};

/// The names of the floating inputs, in the order of the manual.
namespace tensor_name {
inline constexpr char const* hidden = "hidden";
inline constexpr char const* router_weight = "router.weight";
inline constexpr char const* router_bias = "router.bias";
inline constexpr char const* expert_bias = "expert_bias";
inline constexpr char const* gate_up_proj = "gate_up_proj";
inline constexpr char const* down_proj = "down_proj";
inline constexpr char const* gate_up_bias = "gate_up_bias";
inline constexpr char const* down_bias = "down_bias";
inline constexpr char const* shared_gate_up_proj = "shared.gate_up_proj";
inline constexpr char const* shared_down_proj = "shared.down_proj";
inline constexpr char const* shared_gate_weight = "shared.gate.weight";
inline constexpr char const* grad_output = "grad_output";
inline constexpr char const* padding_mask = "padding_mask";  // the only one that is not floating
}  // namespace tensor_name

/// T is float or double, the type of every floating input and output.
template <class T>
struct problem {
  config settings;
  index_t tokens = 0, hidden = 0, experts = 0;
  index_t width = 0;         ///< F, of one expert
  index_t shared_width = 0;  ///< S, 0 also where there is no shared expert
  std::map<std::string, array<T>> tensors;
  std::vector<std::uint8_t> padding;  ///< [T], 1 = padding; empty without a mask

  [[nodiscard]] array<T> const& at(std::string const& name) const { return tensors.at(name); }
  /// Null where the file has no such tensor.
  [[nodiscard]] array<T> const* find(std::string const& name) const {
    auto const found = tensors.find(name);
    return found == tensors.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool backward() const { return find(tensor_name::grad_output) != nullptr; }
};

using any_problem = std::variant<problem<float>, problem<double>>;

/// Reads and checks the file. Every error names the file, the field and what would fit; nothing is read before all
/// names, types, shapes and settings are known to be good.
[[nodiscard]] any_problem read_problem(std::string const& path);

}  // namespace probe
