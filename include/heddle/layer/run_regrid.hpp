// SPDX-License-Identifier: Apache-2.0
// What a change of grid does at run time: nothing, or a split of replicated tokens over tp and the way back.
#pragma once

#include <heddle/collective/regrid.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Dense, class Expert, class TensorParallel, class Frame, class Element, class Memory>
auto run(regrid<Dense, Expert, TensorParallel>, Frame& frame, activation<Element, Memory> x) {
  if constexpr (std::same_as<TensorParallel, replicated>) {
    auto& group = frame.template communicator<tp>();
    frame.narrow_inputs(ceil_chunk::piece(x.data.template size<tokens>(), group.size(), group.rank()));
    return run(split<tp, tokens>{}, frame, x);
  } else {
    return x;
  }
}

template <class Dense, class Expert, class TensorParallel, class Frame, class Element, class Memory>
auto run(regrid_back<Dense, Expert, TensorParallel>, Frame& frame, activation<Element, Memory> x) {
  if constexpr (std::same_as<TensorParallel, replicated>) {
    frame.widen_inputs();
    return run(unsplit<tp, tokens>{}, frame, x);
  } else {
    return x;
  }
}

}  // namespace heddle::inline HEDDLE_ABI
