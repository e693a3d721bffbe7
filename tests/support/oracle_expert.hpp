// SPDX-License-Identifier: Apache-2.0
// Experts of the oracle: activations with their slopes, and a two-matrix network on one row, forward and backward.
#pragma once

#include "oracle_router.hpp"

namespace oracle {

template <class Real>
Real normal_cdf(Real const& x) {
  using std::erfc;
  return 0.5 * erfc(-x / std::sqrt(2.0));
}
template <class Real>
Real normal_pdf(Real const& x) {
  using std::exp;
  return exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0));
}

/// The value at gate g and up u (plain activations take g alone), its slopes, and how far the next kink of the slopes
/// is.
template <class Real>
struct activated {
  Real value, by_gate, by_up = 0;
  double kink = std::numeric_limits<double>::infinity();
};

template <class Real>
activated<Real> activate_by(activation_kind kind, Real const& g, Real const& u) {
  double const gate = value_of(g);
  double const up = value_of(u);
  switch (kind) {
    case activation_kind::swiglu: {
      Real const s = sigmoid(g);
      return {g * s * u, (s + g * s * (1 - s)) * u, g * s};
    }
    case activation_kind::geglu: {
      Real const half = g * normal_cdf(g);
      return {half * u, (normal_cdf(g) + g * normal_pdf(g)) * u, half};
    }
    case activation_kind::quick_geglu: {
      Real const s = sigmoid<Real>(1.702 * g);
      return {g * s * u, (s + 1.702 * g * s * (1 - s)) * u, g * s};
    }
    case activation_kind::gpt_oss: {
      Real const low = 7.0 < gate ? Real{7} : g;
      Real const clamped = up > 7 ? Real{7} : up < -7 ? Real{-7} : u;
      Real const s = sigmoid<Real>(1.702 * low);
      Real const slope = s + 1.702 * low * s * (1 - s);
      return {low * s * (clamped + 1), gate > 7 ? Real{0} : slope * (clamped + 1), std::abs(up) > 7 ? Real{0} : low * s,
              std::min(std::abs(gate - 7), std::abs(std::abs(up) - 7))};
    }
    case activation_kind::squared_relu: return {gate > 0 ? g * g : Real{0}, gate > 0 ? 2 * g : Real{0}};
    case activation_kind::relu: return {gate > 0 ? g : Real{0}, gate > 0 ? 1.0 : 0.0, 0, std::abs(gate)};
    case activation_kind::gelu: return {g * normal_cdf(g), normal_cdf(g) + g * normal_pdf(g)};
  }
  return {0, 0};
}
inline activated<double> activate(activation_kind kind, double g, double u) { return activate_by(kind, g, u); }

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
template <class Real>
struct network_gradients {
  Real *w1, *b1, *w2, *b2;
};

/// One row through a network.
template <class Real>
class pass_of {
  using reals = std::vector<Real>;

 public:
  pass_of(network const& of, reals input) : of_{of}, x_{std::move(input)} {
    auto const line = [&](index_t r) {
      Real sum = of_.b1 == nullptr ? 0 : of_.b1[r];
      for (index_t h = 0; h < of_.hidden; ++h) sum += of_.w1[r * of_.hidden + h] * x_[at(h)];
      return sum;
    };
    for (index_t f = 0; f < of_.width; ++f) {
      middle_.push_back(activate_by<Real>(of_.activation, line(of_.gate_row(f)),
                                          gated(of_.activation) ? line(of_.up_row(f)) : Real{0}));
      kink_ = std::min(kink_, middle_.back().kink);
    }
    for (index_t h = 0; h < of_.hidden; ++h) {
      Real sum = of_.b2 == nullptr ? 0 : of_.b2[h];
      for (index_t f = 0; f < of_.width; ++f) sum += of_.w2[h * of_.width + f] * middle_[at(f)].value;
      y_.push_back(sum);
    }
  }

  [[nodiscard]] reals const& output() const { return y_; }
  [[nodiscard]] double kink() const { return kink_; }

  /// Adds the parameters' gradients for `dy`; returns that of the input.
  [[nodiscard]] reals backward(reals const& dy, network_gradients<Real> const& to) const {
    for (index_t h = 0; h < of_.hidden; ++h) {
      if (to.b2 != nullptr) to.b2[h] += dy[at(h)];
      for (index_t f = 0; f < of_.width; ++f) to.w2[h * of_.width + f] += dy[at(h)] * middle_[at(f)].value;
    }
    reals dx(at(of_.hidden));
    auto const line = [&](index_t r, Real const& dz) {
      if (to.b1 != nullptr) to.b1[r] += dz;
      for (index_t h = 0; h < of_.hidden; ++h) {
        to.w1[r * of_.hidden + h] += dz * x_[at(h)];
        dx[at(h)] += dz * of_.w1[r * of_.hidden + h];
      }
    };
    for (index_t f = 0; f < of_.width; ++f) {
      Real da = 0;
      for (index_t h = 0; h < of_.hidden; ++h) da += dy[at(h)] * of_.w2[h * of_.width + f];
      line(of_.gate_row(f), da * middle_[at(f)].by_gate);
      if (gated(of_.activation)) line(of_.up_row(f), da * middle_[at(f)].by_up);
    }
    return dx;
  }

 private:
  network of_;
  reals x_, y_;
  std::vector<activated<Real>> middle_;
  double kink_ = std::numeric_limits<double>::infinity();
};
using pass = pass_of<double>;

}  // namespace oracle
