// SPDX-License-Identifier: Apache-2.0
// Routing set by hand, and read back, for the tests of the dispatch operations.
#pragma once

#include "numbers.hpp"

namespace numbers {

using namespace heddle;

/// Sets the routing of a step by hand.
template <class Frame>
void route(Frame& frame, std::vector<std::int32_t> const& ids, index_t slots_of_token, index_t experts_in_all) {
  frame.routing.ids = {ids.data(),
                       extents<tokens, slots>{static_cast<index_t>(ids.size()) / slots_of_token, slots_of_token}};
  frame.routing.experts = experts_in_all;
}
inline gates<> gates_of(list const& data, index_t slots_of_token) {
  return {{data.data(), extents<tokens, slots>{static_cast<index_t>(data.size()) / slots_of_token, slots_of_token}}};
}
inline list read(row_gates<> g) { return {g.weights.data(), g.weights.data() + g.weights.count()}; }
inline std::vector<index_t> read(std::span<index_t const> counts) { return {counts.begin(), counts.end()}; }

}  // namespace numbers
