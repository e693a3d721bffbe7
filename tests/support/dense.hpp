// SPDX-License-Identifier: Apache-2.0
// What the layers compute, written plainly in double on one rank: the oracle.
#pragma once

#include "tensors.hpp"

#include <algorithm>
#include <cmath>
#include <heddle/compute/gate_scale.hpp>

namespace support {

/// x [T, I] times w [O, I], plus b [O] where there is one.
inline tensor multiply(tensor const& x, tensor const& w, tensor const* b = nullptr) {
  tensor y{{x[0], w[0]}, {}};
  for (index_t t = 0; t < x[0]; ++t) {
    for (index_t o = 0; o < w[0]; ++o) {
      double sum = b == nullptr ? 0 : b->data[static_cast<std::size_t>(o)];
      for (index_t i = 0; i < x[1]; ++i) {
        sum += x.data[static_cast<std::size_t>(t * x[1] + i)] * w.data[static_cast<std::size_t>(o * x[1] + i)];
      }
      y.data.push_back(sum);
    }
  }
  return y;
}

inline tensor lookup(std::vector<std::int64_t> const& ids, tensor const& table) {
  tensor y{{static_cast<index_t>(ids.size()), table[1]}, {}};
  for (std::int64_t const id : ids) {
    for (index_t h = 0; h < table[1]; ++h) y.data.push_back(table.data[static_cast<std::size_t>(id * table[1] + h)]);
  }
  return y;
}

/// Over groups of as many neighbours as `weight` has elements.
inline tensor rms_norm(tensor const& x, tensor const& weight, double epsilon) {
  tensor y = x;
  auto const width = weight.data.size();
  for (std::size_t begin = 0; begin < x.data.size(); begin += width) {
    double squares = 0;
    for (std::size_t i = 0; i < width; ++i) squares += x.data[begin + i] * x.data[begin + i];
    double const scale = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
    for (std::size_t i = 0; i < width; ++i) y.data[begin + i] *= scale * weight.data[i];
  }
  return y;
}

/// silu(gate) * up for rows gate|up.
inline tensor gated_unit(tensor const& x) {
  index_t const half = x[1] / 2;
  tensor y{{x[0], half}, {}};
  for (index_t t = 0; t < x[0]; ++t) {
    for (index_t f = 0; f < half; ++f) {
      double const gate = x.data[static_cast<std::size_t>(t * x[1] + f)];
      double const up = x.data[static_cast<std::size_t>(t * x[1] + half + f)];
      y.data.push_back(gate / (1 + std::exp(-gate)) * up);
    }
  }
  return y;
}

/// Columns [begin, begin + width).
inline tensor columns(tensor const& x, index_t begin, index_t width) {
  tensor y{{x[0], width}, {}};
  for (index_t t = 0; t < x[0]; ++t) {
    for (index_t h = 0; h < width; ++h) y.data.push_back(x.data[static_cast<std::size_t>(t * x[1] + begin + h)]);
  }
  return y;
}

/// A mixture-of-experts layer.
struct moe {
  tensor gate;  ///< [E, H]
  tensor fc1;   ///< [E, 2F, H]
  tensor fc2;   ///< [E, H, F]
  index_t slots = 1;
  double scale = 1;
  bool renormalise = true;
};

inline tensor slice_of(tensor const& stack, index_t i) {
  auto const size = stack.data.size() / static_cast<std::size_t>(stack[0]);
  auto const begin = stack.data.begin() + static_cast<std::ptrdiff_t>(size) * i;
  return {shape_t(stack.shape.begin() + 1, stack.shape.end()), {begin, begin + static_cast<std::ptrdiff_t>(size)}};
}

inline tensor scaled(tensor x, double factor) {
  for (double& value : x.data) value *= factor;
  return x;
}

/// Softmax over all experts, the `slots` largest (ties by number), their weights, and the weighted sum of the experts.
inline tensor mixture(tensor const& x, moe const& layer, heddle::weight_at at = heddle::weight_at::output) {
  index_t const experts = layer.gate[0];
  tensor const logits = multiply(x, layer.gate);
  tensor y{x.shape, std::vector<double>(x.data.size())};
  for (index_t t = 0; t < x[0]; ++t) {
    tensor const token{{1, x[1]}, {x.data.begin() + t * x[1], x.data.begin() + (t + 1) * x[1]}};
    std::vector<std::pair<double, index_t>> order;
    for (index_t e = 0; e < experts; ++e)
      order.emplace_back(-logits.data[static_cast<std::size_t>(t * experts + e)], e);
    std::sort(order.begin(), order.end());
    double all = 0;
    double chosen = 0;
    for (std::size_t e = 0; e < order.size(); ++e) {
      double const term = std::exp(order[0].first - order[e].first);
      all += term;
      if (static_cast<index_t>(e) < layer.slots) chosen += term;
    }
    for (index_t slot = 0; slot < layer.slots; ++slot) {
      auto const [score, e] = order[static_cast<std::size_t>(slot)];
      double const weight = layer.scale * std::exp(order[0].first - score) / (layer.renormalise ? chosen : all);
      bool const inside =
          at == heddle::weight_at::input;  // the only point where the place matters: fc1 and silu are not linear
      tensor const narrow = gated_unit(multiply(inside ? scaled(token, weight) : token, slice_of(layer.fc1, e)));
      tensor const out = multiply(narrow, slice_of(layer.fc2, e));
      for (std::size_t h = 0; h < out.data.size(); ++h) {
        y.data[static_cast<std::size_t>(t * x[1]) + h] += (inside ? 1 : weight) * out.data[h];
      }
    }
  }
  return y;
}

}  // namespace support
