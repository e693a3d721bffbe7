// SPDX-License-Identifier: Apache-2.0
// Numbered rows, and frames to run single operations in.
#pragma once

#include "../../support/ranks.hpp"
#include "../../support/tensors.hpp"

#include <heddle/layer/frame.hpp>
#include <vector>

namespace numbers {

using heddle::activation;
using heddle::index_t;
using list = std::vector<float>;

/// Element (t, h) is 10 t + h.
inline list table(index_t height, index_t width, index_t first_row = 0, index_t first_column = 0) {
  list data;
  for (index_t t = 0; t < height; ++t) {
    for (index_t h = 0; h < width; ++h) data.push_back(static_cast<float>(10 * (first_row + t) + first_column + h));
  }
  return data;
}
inline activation<float const> value(list const& data, index_t height, index_t width, index_t full = -1) {
  return {support::rows_of(data, height, width), full < 0 ? width : full};
}
template <class Element>
list read(activation<Element> x) {
  return {x.data.data(), x.data.data() + x.data.count()};
}

/// `body(frame, rank)` on every rank of `grid`, with `weights`.
template <class... Groups, class Grid, class Weights, class Body>
void in_frames(Grid const& grid, Weights const& weights, Body const& body) {
  support::on_ranks<Groups...>(grid, 1, [&](auto& tools) {
    heddle::step_state<> state;
    heddle::frame frame{tools.execution, weights, state};
    body(frame, tools.rank);
  });
}

}  // namespace numbers
