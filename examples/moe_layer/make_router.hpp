// SPDX-License-Identifier: Apache-2.0
// A router of any rule behind the interface.
#pragma once

#include "families.hpp"
#include "stage.hpp"
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace probe {

template <class T, class Policy>
class router_of final : public router<T> {
  using style = heddle::route_stage<Policy>;
  using both = std::tuple<rows_of<T>, gates_of<T>>;

 public:
  routed<T> forward(bench<T> const& with, rows_of<T> tokens) override {
    auto const [same, gates] = stage_.forward(with, tokens);
    return {as_rows<T>(same), gates};
  }
  rows_of<T> backward(bench<T> const& with, routed<T> const& gradient) override {
    return as_rows<T>(stage_.backward(with, both{gradient.tokens, gradient.gates}));
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { stage_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    stage_.template reduce<heddle::placement<dealt<etp>, dealt<ep>, dealt<edp>>>(with, of);
  }

 private:
  stage<style, T, rows_of<T>, both> stage_;
};

}  // namespace probe
