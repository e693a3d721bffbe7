// SPDX-License-Identifier: Apache-2.0
// The experts by number as parts of a step; four families, sixteen members, to a translation unit.
#pragma once

#include "train_experts.hpp"
#include "train_parts.hpp"

#include <heddle/expert/glu_expert.hpp>
#include <heddle/expert/plain_expert.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/shared_expert.hpp>

namespace train {

namespace of_number {

template <int Kind>
consteval auto activation_type() {
  if constexpr (Kind == 0) return heddle::silu{};
  else if constexpr (Kind == 1) return heddle::gelu{};
  else if constexpr (Kind == 2) return heddle::quick_gelu{};
  else if constexpr (Kind == 3) return heddle::gpt_oss{};
  else if constexpr (Kind == 4) return heddle::squared_relu{};
  else if constexpr (Kind == 5) return heddle::relu{};
  else return heddle::gelu{};
}
template <packing Packed>
consteval auto layout_type() {
  if constexpr (Packed == packing::interleaved) return heddle::interleaved{};
  else if constexpr (Packed == packing::blocks_of_2) return heddle::block_interleaved<2>{};
  else if constexpr (Packed == packing::blocks_of_3) return heddle::block_interleaved<3>{};
  else return heddle::halves{};
}
template <mode Mode>
consteval auto mode_type() {
  if constexpr (Mode == mode::sequential) return heddle::sequential{};
  else if constexpr (Mode == mode::aligned_16) return heddle::aligned<16>{};
  else if constexpr (Mode == mode::aligned_3) return heddle::aligned<3>{};
  else return heddle::grouped{};
}

template <int Family>
struct family {
  static constexpr activation_of is = activations[Family];
  using activation = decltype(activation_type<static_cast<int>(is.kind)>());
  using layout = decltype(layout_type<is.packed>());
  template <class Mode, heddle::expert_options Options>
  static consteval auto policy() {
    if constexpr (is.packed == packing::none) return heddle::plain_expert<Mode, activation, Options>{};
    else return heddle::glu_expert<Mode, activation, layout, Options>{};
  }
  static consteval auto between() {
    if constexpr (is.packed == packing::none) return heddle::sequence<heddle::activate<activation>>{};
    else return heddle::sequence<heddle::glu<activation, heddle::placement<>, heddle::placement<>, layout>>{};
  }
};

template <int Number>
struct expert {
  static constexpr expert_member is = expert_number(Number);
  using mode = decltype(mode_type<is.mode>());
  using policy = decltype(family<is.family>::template policy<mode, is.has>());
  using order = std::conditional_t<is.transposed, heddle::in_out, heddle::out_in>;
  static constexpr heddle::weight_at at = is.at;
};

}  // namespace of_number

template <class T, int Number>
class numbered_expert final : public expert_part<T> {
  using wanted = of_number::expert<Number>;
  static constexpr bool at_origin = wanted::at == heddle::weight_at::origin;
  using in = std::conditional_t<at_origin, rows_of<T>, std::tuple<rows_of<T>, row_gates_of<T>>>;

 public:
  arrived<T> forward(bench<T> const& with, arrived<T> value) override {
    if constexpr (at_origin) return {read_only(stage_.forward(with, value.rows)), {}, value.gates};
    else return {read_only(stage_.forward(with, {value.rows, value.row_gates}))};
  }
  arrived<T> backward(bench<T> const& with, arrived<T> gradient) override {
    if constexpr (at_origin) {
      return {read_only(stage_.backward(with, gradient.rows)), {}, gradient.gates};
    } else {
      auto const [rows, gates] = stage_.backward(with, gradient.rows);
      return {read_only(rows), gates};
    }
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<heddle::placement<dealt<edp>>>(with, of);
  }

 private:
  stage<heddle::expert_stage<typename wanted::policy, wanted::at>, T, in, rows_of<T>, typename wanted::order> stage_;
};

template <class T, int Family>
class numbered_shared final : public rows_part<T> {
  using style = heddle::shared_expert<decltype(of_number::family<Family>::between()), shared_is_gated(Family)>;

 public:
  rows_of<T> forward(bench<T> const& with, rows_of<T> value) override { return read_only(stage_.forward(with, value)); }
  rows_of<T> backward(bench<T> const& with, rows_of<T> gradient) override {
    return read_only(stage_.backward(with, gradient));
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<dealt_to_all>(with, of);
  }

 private:
  stage<style, T, rows_of<T>, rows_of<T>> stage_;
};

/// The experts of four families from `First` on; null for others.
template <class T, int First>
[[nodiscard]] std::unique_ptr<expert_part<T>> make_four_families(int number) {
  std::unique_ptr<expert_part<T>> made;
  [&]<int... Each>(std::integer_sequence<int, Each...>) {
    auto const one = [&]<int Number>() {
      if (number == Number) made = std::make_unique<numbered_expert<T, Number>>();
    };
    (one.template operator()<4 * First + Each>(), ...);
  }
  (std::make_integer_sequence<int, 16>{});
  return made;
}
template <class T, int First>
[[nodiscard]] std::unique_ptr<rows_part<T>> make_four_shared(int family) {
  std::unique_ptr<rows_part<T>> made;
  [&]<int... Each>(std::integer_sequence<int, Each...>) {
    auto const one = [&]<int Number>() {
      if (family == Number) made = std::make_unique<numbered_shared<T, Number>>();
    };
    (one.template operator()<First + Each>(), ...);
  }
  (std::make_integer_sequence<int, 4>{});
  return made;
}

}  // namespace train
