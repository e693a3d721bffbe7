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

template <bool Renormalise>
using router = heddle::top_k<heddle::kernel::softmax_then_top_k<Renormalise>>;

/// Tokens cross to the expert grid, each once, and come back.
template <class Dispatcher, class Mode, bool Renormalise>
using moe_style =
    heddle::on_expert_grid<heddle::expert_parallel<router<Renormalise>, Dispatcher, heddle::glu_expert<Mode>>>;

/// Every rank that needs a token has it already: the grids need not change.
template <class Mode, bool Renormalise>
using moe_in_place =
    heddle::expert_parallel<router<Renormalise>, heddle::masked<heddle::ep, heddle::etp, heddle::replicated>,
                            heddle::glu_expert<Mode>>;

/// Calls `function.template operator()<Style>()` for the style that the user chose.
template <bool Renormalise, class Function>
decltype(auto) with_moe(choice const& chosen, Function&& function) {
  using gathered = heddle::masked<heddle::ep, heddle::etp, heddle::sharded<heddle::tokens, heddle::as_given>>;
  auto const of_mode = [&]<class Mode>() -> decltype(auto) {
    switch (chosen.dispatcher) {
      case dispatcher_kind::masked:
        if (chosen.tokens_are_there()) return function.template operator()<moe_in_place<Mode, Renormalise>>();
        return function.template operator()<moe_style<gathered, Mode, Renormalise>>();
      case dispatcher_kind::all_gather:
        return function.template operator()<moe_style<heddle::all_gather_dispatcher<>, Mode, Renormalise>>();
      case dispatcher_kind::all_to_all: break;
    }
    return function.template operator()<moe_style<heddle::all_to_all_dispatcher<>, Mode, Renormalise>>();
  };
  if (chosen.expert == expert_kind::grouped) return of_mode.template operator()<heddle::grouped>();
  return of_mode.template operator()<heddle::sequential>();
}

/// Runs the layer on this rank's tokens. `x` [tokens, hidden] is replicated over tp; so is the result, which lies in
/// the execution's workspace.
template <class T>
[[nodiscard]] heddle::rows<T const> run_moe(choice const& chosen, bool renormalise, execution& on,
                                            heddle::moe_weights<T> const& weights, heddle::rows<T const> x);

}  // namespace hf
