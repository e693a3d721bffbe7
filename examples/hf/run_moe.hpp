// SPDX-License-Identifier: Apache-2.0
// The body of run_moe, for the translation units that compile it: one a dtype and score.
#pragma once

#include "moe.hpp"
#include <heddle/layer/forward.hpp>

namespace hf {

template <class Router, class T>
heddle::rows<T const> run_moe(choice const& chosen, execution& on, heddle::moe_weights<T> const& weights,
                              heddle::rows<T const> x) {
  return with_moe<Router>(
      chosen, [&]<class Style>() -> heddle::rows<T const> { return heddle::infer<Style>(on, weights, x).data; });
}

}  // namespace hf
