// SPDX-License-Identifier: Apache-2.0
// An expert with its place of the weight behind the interface.
#pragma once

#include "families.hpp"
#include "stage.hpp"
#include <heddle/expert/glu_expert.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace probe {

/// The activation of an expert is computed again in the backward pass.
template <class Policy>
struct recomputed {
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups : Policy::template on_groups<ExpertParallel, ExpertTensor> {
    using base = typename Policy::template on_groups<ExpertParallel, ExpertTensor>;
    using activate = heddle::sequence<heddle::recompute<typename base::activate>>;
  };
};

template <class T, class Policy, heddle::weight_at At>
class expert_of final : public expert<T> {
  static constexpr bool at_origin = At == heddle::weight_at::origin;
  using in = std::conditional_t<at_origin, rows_of<T>, std::tuple<rows_of<T>, row_gates_of<T>>>;

 public:
  rows_of<T> forward(bench<T> const& with, arrived<T> const& rows) override {
    if constexpr (at_origin) return as_rows<T>(stage_.forward(with, rows.rows));
    else return as_rows<T>(stage_.forward(with, {rows.rows, rows.row_gates}));
  }
  arrived<T> backward(bench<T> const& with, rows_of<T> gradient) override {
    if constexpr (at_origin) {
      return {as_rows<T>(stage_.backward(with, gradient))};
    } else {
      auto const [rows, gates] = stage_.backward(with, gradient);
      return {as_rows<T>(rows), gates};
    }
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<heddle::placement<dealt<edp>>>(with, of);
  }

 private:
  stage<heddle::expert_stage<Policy, At>, T, in, rows_of<T>> stage_;
};

template <class T, class Policy>
std::unique_ptr<expert<T>> expert_at(place_kind at) {
  using heddle::weight_at;
  switch (at) {
    case place_kind::input: return std::make_unique<expert_of<T, Policy, weight_at::input>>();
    case place_kind::activation: return std::make_unique<expert_of<T, Policy, weight_at::activation>>();
    case place_kind::output: break;
    case place_kind::origin: return std::make_unique<expert_of<T, Policy, weight_at::origin>>();
  }
  return std::make_unique<expert_of<T, Policy, weight_at::output>>();
}
template <class T, class Policy>
std::unique_ptr<expert<T>> expert_for(choice const& chosen) {
  if (chosen.recompute) return expert_at<T, recomputed<Policy>>(chosen.weight_at);
  return expert_at<T, Policy>(chosen.weight_at);
}

}  // namespace probe
