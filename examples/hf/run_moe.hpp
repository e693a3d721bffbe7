// SPDX-License-Identifier: Apache-2.0
// The body of run_moe, for the translation units that compile it: one a dtype.
#pragma once

#include "moe.hpp"
#include <heddle/layer/forward.hpp>

namespace hf {

template <class T>
heddle::rows<T const> run_moe(choice const& chosen, bool renormalise, execution& on,
                              heddle::moe_weights<T> const& weights, heddle::rows<T const> x) {
  auto const run = [&]<class Style>() -> heddle::rows<T const> { return heddle::infer<Style>(on, weights, x).data; };
  return renormalise ? with_moe<true>(chosen, run) : with_moe<false>(chosen, run);
}

}  // namespace hf
