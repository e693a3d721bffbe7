// SPDX-License-Identifier: Apache-2.0
// The gradients of what dense.hpp computes, written plainly in double on one rank.
#pragma once

#include "dense.hpp"

namespace support {

inline tensor zeros(shape_t shape) {
  auto const count = static_cast<std::size_t>(count_of(shape));
  return {std::move(shape), std::vector<double>(count)};
}
inline double& at(tensor& x, index_t i, index_t j) { return x.data[static_cast<std::size_t>(i * x[1] + j)]; }
inline double at(tensor const& x, index_t i, index_t j) { return x.data[static_cast<std::size_t>(i * x[1] + j)]; }

struct linear_back {
  tensor x, w, b;
};
/// Of `multiply(x, w, b)`.
inline linear_back multiply_back(tensor const& x, tensor const& w, tensor const& dy) {
  linear_back d{zeros(x.shape), zeros(w.shape), zeros({w[0]})};
  for (index_t t = 0; t < x[0]; ++t) {
    for (index_t o = 0; o < w[0]; ++o) {
      double const back = at(dy, t, o);
      d.b.data[static_cast<std::size_t>(o)] += back;
      for (index_t i = 0; i < x[1]; ++i) {
        at(d.x, t, i) += back * at(w, o, i);
        at(d.w, o, i) += back * at(x, t, i);
      }
    }
  }
  return d;
}

/// Of the table of `lookup(ids, table)`.
inline tensor lookup_back(std::vector<std::int64_t> const& ids, shape_t const& table, tensor const& dy) {
  tensor d = zeros(table);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (index_t h = 0; h < table[1]; ++h) at(d, ids[t], h) += at(dy, static_cast<index_t>(t), h);
  }
  return d;
}

struct norm_back {
  tensor x, w;
};
/// Of `rms_norm(x, weight, epsilon)`: with s = (mean(x^2) + e)^-1/2, dx = s (w dy - x s^2 mean(w dy x)).
inline norm_back rms_norm_back(tensor const& x, tensor const& weight, double epsilon, tensor const& dy) {
  norm_back d{zeros(x.shape), zeros(weight.shape)};
  auto const width = weight.data.size();
  for (std::size_t begin = 0; begin < x.data.size(); begin += width) {
    double squares = 0;
    double meet = 0;
    for (std::size_t i = 0; i < width; ++i) {
      squares += x.data[begin + i] * x.data[begin + i];
      meet += weight.data[i] * dy.data[begin + i] * x.data[begin + i];
    }
    double const n = static_cast<double>(width);
    double const scale = 1 / std::sqrt(squares / n + epsilon);
    for (std::size_t i = 0; i < width; ++i) {
      d.x.data[begin + i] =
          scale * (weight.data[i] * dy.data[begin + i] - x.data[begin + i] * scale * scale * meet / n);
      d.w.data[i] += scale * x.data[begin + i] * dy.data[begin + i];
    }
  }
  return d;
}

/// Of `gated_unit(x)`.
inline tensor gated_unit_back(tensor const& x, tensor const& dy) {
  tensor d = zeros(x.shape);
  index_t const half = x[1] / 2;
  for (index_t t = 0; t < x[0]; ++t) {
    for (index_t f = 0; f < half; ++f) {
      double const gate = at(x, t, f);
      double const s = 1 / (1 + std::exp(-gate));
      at(d, t, f) = at(dy, t, f) * at(x, t, half + f) * (s + gate * s * (1 - s));
      at(d, t, half + f) = at(dy, t, f) * gate * s;
    }
  }
  return d;
}

inline tensor sum_of(tensor a, tensor const& b) {
  for (std::size_t i = 0; i < a.data.size(); ++i) a.data[i] += b.data[i];
  return a;
}

}  // namespace support
