// SPDX-License-Identifier: Apache-2.0
// Experts of the oracle: activations with their slopes, and a two-matrix network on one row, forward and backward.
#pragma once

#include "oracle_router.hpp"

namespace oracle {

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
inline double normal_pdf(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0)); }

/// The value at gate g and up u (plain activations take g alone), its slopes, and how far the next kink of the slopes
/// is.
struct activated {
  double value, by_gate, by_up = 0;
  double kink = std::numeric_limits<double>::infinity();
};

inline activated activate(activation_kind kind, double g, double u) {
  switch (kind) {
    case activation_kind::swiglu: {
      double const s = sigmoid(g);
      return {g * s * u, (s + g * s * (1 - s)) * u, g * s};
    }
    case activation_kind::geglu: {
      double const half = g * normal_cdf(g);
      return {half * u, (normal_cdf(g) + g * normal_pdf(g)) * u, half};
    }
    case activation_kind::quick_geglu: {
      double const s = sigmoid(1.702 * g);
      return {g * s * u, (s + 1.702 * g * s * (1 - s)) * u, g * s};
    }
    case activation_kind::gpt_oss: {
      double const low = std::min(g, 7.0);
      double const clamped = std::max(-7.0, std::min(u, 7.0));
      double const s = sigmoid(1.702 * low);
      return {low * s * (clamped + 1), g > 7 ? 0 : (s + 1.702 * low * s * (1 - s)) * (clamped + 1),
              std::abs(u) > 7 ? 0 : low * s, std::min(std::abs(g - 7), std::abs(std::abs(u) - 7))};
    }
    case activation_kind::squared_relu: return {g > 0 ? g * g : 0, g > 0 ? 2 * g : 0};
    case activation_kind::relu: return {g > 0 ? g : 0, g > 0 ? 1.0 : 0.0, 0, std::abs(g)};
    case activation_kind::gelu: return {g * normal_cdf(g), normal_cdf(g) + g * normal_pdf(g)};
  }
  return {0, 0};
}

/// W2 act(W1 x + b1) + b2 with W1 [2F, H] ([F, H] without a gate), W2 [H, F]; biases may be null.
struct network {
  double const *w1, *b1, *w2, *b2;
  index_t hidden, width;  ///< H, F
  activation_kind activation;
  bool interleaved;

  [[nodiscard]] index_t gate_row(index_t f) const { return gated(activation) && interleaved ? 2 * f : f; }
  [[nodiscard]] index_t up_row(index_t f) const { return interleaved ? 2 * f + 1 : width + f; }
};
/// Where gradients are added; null where there is no such parameter.
struct network_gradients {
  double *w1, *b1, *w2, *b2;
};

/// One row through a network.
class pass {
 public:
  pass(network const& of, numbers input) : of_{of}, x_{std::move(input)} {
    auto const line = [&](index_t r) {
      double sum = of_.b1 == nullptr ? 0 : of_.b1[r];
      for (index_t h = 0; h < of_.hidden; ++h) sum += of_.w1[r * of_.hidden + h] * x_[at(h)];
      return sum;
    };
    for (index_t f = 0; f < of_.width; ++f) {
      middle_.push_back(
          activate(of_.activation, line(of_.gate_row(f)), gated(of_.activation) ? line(of_.up_row(f)) : 0));
      kink_ = std::min(kink_, middle_.back().kink);
    }
    for (index_t h = 0; h < of_.hidden; ++h) {
      double sum = of_.b2 == nullptr ? 0 : of_.b2[h];
      for (index_t f = 0; f < of_.width; ++f) sum += of_.w2[h * of_.width + f] * middle_[at(f)].value;
      y_.push_back(sum);
    }
  }

  [[nodiscard]] numbers const& output() const { return y_; }
  [[nodiscard]] double kink() const { return kink_; }

  /// Adds the parameters' gradients for `dy`; returns that of the input.
  [[nodiscard]] numbers backward(numbers const& dy, network_gradients const& to) const {
    for (index_t h = 0; h < of_.hidden; ++h) {
      if (to.b2 != nullptr) to.b2[h] += dy[at(h)];
      for (index_t f = 0; f < of_.width; ++f) to.w2[h * of_.width + f] += dy[at(h)] * middle_[at(f)].value;
    }
    numbers dx(at(of_.hidden));
    auto const line = [&](index_t r, double dz) {
      if (to.b1 != nullptr) to.b1[r] += dz;
      for (index_t h = 0; h < of_.hidden; ++h) {
        to.w1[r * of_.hidden + h] += dz * x_[at(h)];
        dx[at(h)] += dz * of_.w1[r * of_.hidden + h];
      }
    };
    for (index_t f = 0; f < of_.width; ++f) {
      double da = 0;
      for (index_t h = 0; h < of_.hidden; ++h) da += dy[at(h)] * of_.w2[h * of_.width + f];
      line(of_.gate_row(f), da * middle_[at(f)].by_gate);
      if (gated(of_.activation)) line(of_.up_row(f), da * middle_[at(f)].by_up);
    }
    return dx;
  }

 private:
  network of_;
  numbers x_, y_;
  std::vector<activated> middle_;
  double kink_ = std::numeric_limits<double>::infinity();
};

}  // namespace oracle
