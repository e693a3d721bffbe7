// SPDX-License-Identifier: Apache-2.0
// The activations of MLPs and experts, each beside its gradient. A plain one maps a number x; a gated one joins a gate
// g and an up value u. They compute in float or double; kernels round what they return.
#pragma once

#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The sharpness of silu.
struct unit_sharpness {
  static constexpr double sharpness = 1;
};
/// The sharpness with which x * sigmoid comes close to gelu: quick gelu, GPT-OSS.
struct quick_sharpness {
  static constexpr double sharpness = 1.702;
};

/// swish(x) = x / (1 + e^(-sharpness x)), its slope s (1 + sharpness x (1 - s)) with s = 1 / (1 + e^(-sharpness x)).
template <class Numbers>
struct swish {
  static constexpr bool gated = false;
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return x / (Real{1} + exponential(-static_cast<Real>(Numbers::sharpness) * x));
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real gradient(Real x, Real dy) {
    Real const scaled = static_cast<Real>(Numbers::sharpness) * x;
    auto const part = logistic(scaled);
    return dy * part.value * (Real{1} + scaled * part.rest);
  }
};
/// x / (1 + e^-x), also called swish.
struct silu : swish<unit_sharpness> {};
/// x / (1 + e^(-1.702 x)).
struct quick_gelu : swish<quick_sharpness> {};

/// x (1 + erf(x / sqrt(2))) / 2 = x times the normal distribution below x; its slope adds x times the density.
struct gelu {
  static constexpr bool gated = false;
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return x * normal(x).below;
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real gradient(Real x, Real dy) {
    auto const part = normal(x);
    return dy * (part.below + x * part.density);
  }
};

/// max(x, 0); NaN stays. The slope at zero is zero.
struct relu {
  static constexpr bool gated = false;
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return x < 0 ? Real{0} : x;
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real gradient(Real x, Real dy) {
    return x <= 0 ? Real{0} : dy;
  }
};

/// max(x, 0)^2, its slope 2 max(x, 0).
struct squared_relu {
  static constexpr bool gated = false;
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return relu::apply(x) * relu::apply(x);
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real gradient(Real x, Real dy) {
    return 2 * relu::apply(x) * dy;
  }
};

/// s = 1 / (1 + e^-x), its slope s (1 - s): the gate of a shared expert.
struct sigmoid {
  static constexpr bool gated = false;
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return logistic(x).value;
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real gradient(Real x, Real dy) {
    auto const part = logistic(x);
    return dy * part.value * part.rest;
  }
};

/// No clamp, nothing added.
struct unbounded {
  static constexpr double limit = __builtin_inf();
  static constexpr double offset = 0;
};
/// A clamp at a whole number. Other numbers are a struct of the same two members.
template <int Limit, int Offset = 0>
struct bounded {
  static constexpr double limit = Limit;
  static constexpr double offset = Offset;
};

/// The gradients of both inputs of a gated activation.
template <class Real>
struct gate_gradient {
  Real gate;
  Real up;
};

/// y = Inner(min(g, limit)) * (clamp(u, -limit, limit) + offset), Inner a plain activation. What a clamp cuts off gets
/// no gradient: the gate above the limit only, up on both sides; at the limit itself it passes, as in PyTorch.
template <class Inner, class Bounds = unbounded>
struct gated_by {
  static constexpr bool gated = true;

  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real gate, Real up) {
    return Inner::apply(clamped_gate(gate)) * factor(up);
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr gate_gradient<Real> gradient(Real gate, Real up, Real dy) {
    Real const inside = clamped_gate(gate);
    gate_gradient<Real> result{Inner::gradient(inside, dy * factor(up)), dy * Inner::apply(inside)};
    if constexpr (clamps) {
      constexpr Real limit = static_cast<Real>(Bounds::limit);
      result.gate = gate > limit ? Real{0} : result.gate;
      result.up = up > limit || up < -limit ? Real{0} : result.up;
    }
    return result;
  }

 private:
  static constexpr bool clamps = Bounds::limit < __builtin_inf();
  static_assert(Bounds::limit > 0,
                "[heddle.activation.limit] a clamp needs a limit above zero. Fix: use `unbounded` "
                "for no clamp.");

  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real clamped_gate(Real gate) {
    constexpr Real limit = static_cast<Real>(Bounds::limit);
    return clamps && gate > limit ? limit : gate;
  }
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real factor(Real up) {
    constexpr Real limit = static_cast<Real>(Bounds::limit);
    if constexpr (clamps) up = up > limit ? limit : (up < -limit ? -limit : up);
    if constexpr (Bounds::offset != 0) up += static_cast<Real>(Bounds::offset);
    return up;
  }
};

/// gelu(g) * u with the exact erf.
using geglu = gated_by<gelu>;
/// g * sigmoid(1.702 g) * u.
using quick_geglu = gated_by<quick_gelu>;
/// max(g, 0) * u.
using reglu = gated_by<relu>;
/// silu(min(g, Limit)) * clamp(u, -Limit, Limit).
template <int Limit>
using clamped_swiglu = gated_by<silu, bounded<Limit>>;
/// g * sigmoid(1.702 g) * (u + 1) with g = min(g, 7), u = clamp(u, -7, 7).
using gpt_oss = gated_by<quick_gelu, bounded<7, 1>>;

/// An activation of a gate and an up value.
template <class Type>
concept gated_activation = requires {
  requires Type::gated;
};

/// The gated form of an activation: itself, or a plain one times the up value.
template <class Activation>
struct as_gated {
  using type = gated_by<Activation>;
};
template <gated_activation Activation>
struct as_gated<Activation> {
  using type = Activation;
};
template <class Activation>
using as_gated_t = typename as_gated<Activation>::type;

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
