// SPDX-License-Identifier: Apache-2.0
// Experts of one activation behind the interfaces: the routed ones of every mode, with weights inside or not, and the
// shared one. Each activation, and each layout of a gated one, is a translation unit.
#pragma once

#include "families.hpp"
#include "stage.hpp"
#include <heddle/expert/glu_expert.hpp>
#include <heddle/expert/plain_expert.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/shared_expert.hpp>

namespace probe {

template <class T, class Policy, heddle::weight_at At>
class expert_of final : public expert<T> {
  static constexpr bool at_origin = At == heddle::weight_at::origin;
  using in = std::conditional_t<at_origin, rows_of<T>, std::tuple<rows_of<T>, row_gates_of<T>>>;

 public:
  rows_of<T> forward(bench<T> const& with, arrived<T> const& rows) override {
    if constexpr (at_origin) return read_only(stage_.forward(with, rows.rows));
    else return read_only(stage_.forward(with, {rows.rows, rows.row_gates}));
  }
  arrived<T> backward(bench<T> const& with, rows_of<T> gradient) override {
    if constexpr (at_origin) {
      return {read_only(stage_.backward(with, gradient))};
    } else {
      auto const [rows, gates] = stage_.backward(with, gradient);
      return {read_only(rows), gates};
    }
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<heddle::placement<dealt<edp>>>(with, of);
  }

 private:
  stage<heddle::expert_stage<Policy, At>, T, in, rows_of<T>> stage_;
};

/// What an expert is asked to be. Weights that do not meet its inside are none of its business.
struct expert_wish {
  expert_kind mode;
  bool weight_inside, biased, recompute;
};

/// `Family` has `policy<Mode, Options>`, an expert.
template <class T, class Family, class Mode, heddle::expert_options Options>
std::unique_ptr<expert<T>> expert_with(bool weight_inside) {
  using heddle::weight_at;
  using policy = typename Family::template policy<Mode, Options>;
  if (weight_inside) return std::make_unique<expert_of<T, policy, weight_at::activation>>();
  return std::make_unique<expert_of<T, policy, weight_at::origin>>();
}
template <class T, class Family, class Mode>
std::unique_ptr<expert<T>> expert_in(expert_wish const& is) {
  using heddle::expert_options;
  // Who computes again has biases, zeros where none are given: one kind less to compile.
  if (is.recompute) return expert_with<T, Family, Mode, expert_options{true, true}>(is.weight_inside);
  if (is.biased) return expert_with<T, Family, Mode, expert_options{true, false}>(is.weight_inside);
  return expert_with<T, Family, Mode, expert_options{false, false}>(is.weight_inside);
}
template <class T, class Family>
std::unique_ptr<expert<T>> expert_of_family(expert_wish const& is) {
  switch (is.mode) {
    case expert_kind::sequential: return expert_in<T, Family, heddle::sequential>(is);
    case expert_kind::grouped: break;
    case expert_kind::aligned: return expert_in<T, Family, heddle::aligned<16>>(is);
  }
  return expert_in<T, Family, heddle::grouped>(is);
}

template <class T, class Style>
class shared_of final : public shared<T> {
 public:
  rows_of<T> forward(bench<T> const& with, rows_of<T> tokens) override {
    return read_only(stage_.forward(with, tokens));
  }
  rows_of<T> backward(bench<T> const& with, rows_of<T> gradient) override {
    return read_only(stage_.backward(with, gradient));
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<heddle::placement<dealt<etp>, dealt<ep>, dealt<edp>>>(with, of);
  }

 private:
  stage<Style, T, rows_of<T>, rows_of<T>> stage_;
};
/// `Family` has `between`, the sequence that is the activation.
template <class T, class Family>
std::unique_ptr<shared<T>> shared_of_family(bool gated) {
  using between = typename Family::between;
  if (gated) return std::make_unique<shared_of<T, heddle::shared_expert<between, true>>>();
  return std::make_unique<shared_of<T, heddle::shared_expert<between, false>>>();
}

template <class Activation, class Layout>
struct gated_family {
  template <class Mode, heddle::expert_options Options>
  using policy = heddle::glu_expert<Mode, Activation, Layout, Options>;
  using between = heddle::sequence<heddle::glu<Activation, heddle::placement<>, heddle::placement<>, Layout>>;
};
template <class Activation>
struct plain_family {
  template <class Mode, heddle::expert_options Options>
  using policy = heddle::plain_expert<Mode, Activation, Options>;
  using between = heddle::sequence<heddle::activate<Activation>>;
};

// The families by name; one translation unit each defines both functions.
using swiglu_halves = gated_family<heddle::silu, heddle::halves>;
using swiglu_interleaved = gated_family<heddle::silu, heddle::interleaved>;
using geglu_halves = gated_family<heddle::gelu, heddle::halves>;
using geglu_interleaved = gated_family<heddle::gelu, heddle::interleaved>;
using quick_geglu_halves = gated_family<heddle::quick_gelu, heddle::halves>;
using quick_geglu_interleaved = gated_family<heddle::quick_gelu, heddle::interleaved>;
using gpt_oss_halves = gated_family<heddle::gpt_oss, heddle::halves>;
using gpt_oss_interleaved = gated_family<heddle::gpt_oss, heddle::interleaved>;
using plain_squared_relu = plain_family<heddle::squared_relu>;
using plain_relu = plain_family<heddle::relu>;
using plain_gelu = plain_family<heddle::gelu>;

template <class T, class Family>
[[nodiscard]] std::unique_ptr<expert<T>> make_family_expert(expert_wish const& is);
template <class T, class Family>
[[nodiscard]] std::unique_ptr<shared<T>> make_family_shared(bool gated);

}  // namespace probe
