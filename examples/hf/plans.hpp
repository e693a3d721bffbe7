// SPDX-License-Identifier: Apache-2.0
// The switch from a model known at run time to its plan, a type.
#pragma once

#include "config.hpp"
#include "deepseek_v3.hpp"
#include "mixtral.hpp"
#include "olmoe.hpp"
#include "qwen3_moe.hpp"

namespace hf {

/// Calls `function.template operator()<Plan>()` for the plan of a model.
template <class Function>
decltype(auto) with_plan(family model, Function&& function) {
  switch (model) {
    case family::mixtral: return function.template operator()<mixtral>();
    case family::olmoe: return function.template operator()<olmoe>();
    case family::deepseek_v3: return function.template operator()<deepseek_v3>();
    case family::qwen3_moe: break;
  }
  return function.template operator()<qwen3_moe>();
}

}  // namespace hf
