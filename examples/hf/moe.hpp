// SPDX-License-Identifier: Apache-2.0
// The mixture-of-experts layer behind a switch over types: dispatcher, expert and selection, chosen at run time.
#pragma once

#include "choice.hpp"
#include "execution.hpp"
#include <heddle/compute/parameter.hpp>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace hf {

/// How a model's router chooses and weighs, known at run time.
enum class routing_kind { softmax, softmax_normalised, sigmoid, sigmoid_normalised };

[[nodiscard]] constexpr routing_kind routing_of(config const& model) {
  if (model.model == family::deepseek_v3)
    return model.renormalise ? routing_kind::sigmoid_normalised : routing_kind::sigmoid;
  return model.renormalise ? routing_kind::softmax_normalised : routing_kind::softmax;
}

using softmax_router = heddle::top_k<heddle::kernel::softmax_then_top_k<false>>;
using normalised_softmax_router = heddle::top_k<heddle::kernel::softmax_then_top_k<true>>;
using sigmoid_router = heddle::top_k<heddle::kernel::sigmoid_then_top_k<false>>;
using normalised_sigmoid_router = heddle::top_k<heddle::kernel::sigmoid_then_top_k<true>>;

/// Tokens cross to the expert grid, each once, and come back.
template <class Dispatcher, class Mode, class Router>
using moe_style = heddle::on_expert_grid<heddle::expert_parallel<Router, Dispatcher, heddle::glu_expert<Mode>>>;

/// Every rank that needs a token has it already: the grids need not change.
template <class Mode, class Router>
using moe_in_place = heddle::expert_parallel<Router, heddle::masked<heddle::ep, heddle::etp, heddle::replicated>,
                                             heddle::glu_expert<Mode>>;

/// Calls `function.template operator()<Style>()` for the style that the user chose.
template <class Router, class Function>
decltype(auto) with_moe(choice const& chosen, Function&& function) {
  using gathered = heddle::masked<heddle::ep, heddle::etp, heddle::sharded<heddle::tokens, heddle::as_given>>;
  auto const of_mode = [&]<class Mode>() -> decltype(auto) {
    switch (chosen.dispatcher) {
      case dispatcher_kind::masked:
        if (chosen.tokens_are_there()) return function.template operator()<moe_in_place<Mode, Router>>();
        return function.template operator()<moe_style<gathered, Mode, Router>>();
      case dispatcher_kind::all_gather:
        return function.template operator()<moe_style<heddle::all_gather_dispatcher<>, Mode, Router>>();
      case dispatcher_kind::all_to_all: break;
    }
    return function.template operator()<moe_style<heddle::all_to_all_dispatcher<>, Mode, Router>>();
  };
  if (chosen.expert == expert_kind::grouped) return of_mode.template operator()<heddle::grouped>();
  return of_mode.template operator()<heddle::sequential>();
}

/// Runs the layer on this rank's tokens. `x` [tokens, hidden] is replicated over tp; so is the result, which lies in
/// the execution's workspace.
template <class Router, class T>
[[nodiscard]] heddle::rows<T const> run_moe(choice const& chosen, execution& on, heddle::moe_weights<T> const& weights,
                                            heddle::rows<T const> x);

/// The same for a router known at run time.
template <class T>
[[nodiscard]] heddle::rows<T const> run_moe(routing_kind kind, choice const& chosen, execution& on,
                                            heddle::moe_weights<T> const& weights, heddle::rows<T const> x) {
  switch (kind) {
    case routing_kind::softmax: return run_moe<softmax_router, T>(chosen, on, weights, x);
    case routing_kind::softmax_normalised: return run_moe<normalised_softmax_router, T>(chosen, on, weights, x);
    case routing_kind::sigmoid: return run_moe<sigmoid_router, T>(chosen, on, weights, x);
    case routing_kind::sigmoid_normalised: break;
  }
  return run_moe<normalised_sigmoid_router, T>(chosen, on, weights, x);
}

}  // namespace hf
