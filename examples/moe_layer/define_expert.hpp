// SPDX-License-Identifier: Apache-2.0
// The definitions that the translation unit of an activation instantiates.
#pragma once

#include "make_expert.hpp"

namespace probe {

template <class T, class Family>
std::unique_ptr<expert<T>> make_family_expert(expert_wish const& is) {
  return expert_of_family<T, Family>(is);
}
template <class T, class Family>
std::unique_ptr<shared<T>> make_family_shared(bool gated) {
  return shared_of_family<T, Family>(gated);
}

}  // namespace probe
