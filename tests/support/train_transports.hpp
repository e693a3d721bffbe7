// SPDX-License-Identifier: Apache-2.0
// A dispatcher as a part of a step: weights travel with the rows, or stay with their tokens.
#pragma once

#include "train_parts.hpp"

#include <heddle/style/expert_parallel.hpp>

namespace train {

template <class T, class Dispatcher>
class with_weights final : public transport_part<T> {
  static constexpr heddle::weight_at at = heddle::weight_at::output;  // the same stages for input and activation

 public:
  arrived<T> dispatch(bench<T> const& with, routed<T> const& tokens) override {
    auto const [rows, gates] = there_.forward(with, {tokens.tokens, tokens.gates});
    return {read_only(rows), gates};
  }
  rows_of<T> combine(bench<T> const& with, rows_of<T> rows, gates_of<T>) override {
    return read_only(back_.forward(with, rows));
  }
  arrived<T> combine_backward(bench<T> const& with, rows_of<T> gradient) override {
    return {read_only(back_.backward(with, gradient))};
  }
  routed<T> dispatch_backward(bench<T> const& with, arrived<T> const& gradient) override {
    auto const [tokens, gates] = there_.backward(with, {gradient.rows, gradient.row_gates});
    return {read_only(tokens), gates};
  }

 private:
  stage<heddle::dispatch_stage<Dispatcher, at>, T, std::tuple<rows_of<T>, gates_of<T>>,
        std::tuple<rows_of<T>, row_gates_of<T>>>
      there_;
  stage<heddle::combine_stage<Dispatcher, at>, T, rows_of<T>, rows_of<T>> back_;
};

template <class T, class Dispatcher>
class without_weights final : public transport_part<T> {
  static constexpr heddle::weight_at at = heddle::weight_at::origin;
  using both = std::tuple<rows_of<T>, gates_of<T>>;

 public:
  arrived<T> dispatch(bench<T> const& with, routed<T> const& tokens) override {
    auto const [rows, gates] = there_.forward(with, {tokens.tokens, tokens.gates});
    return {.rows = read_only(rows), .gates = gates};
  }
  rows_of<T> combine(bench<T> const& with, rows_of<T> rows, gates_of<T> gates) override {
    return read_only(back_.forward(with, {rows, gates}));
  }
  arrived<T> combine_backward(bench<T> const& with, rows_of<T> gradient) override {
    auto const [rows, gates] = back_.backward(with, gradient);
    return {.rows = read_only(rows), .gates = gates};
  }
  routed<T> dispatch_backward(bench<T> const& with, arrived<T> const& gradient) override {
    auto const [tokens, gates] = there_.backward(with, {gradient.rows, gradient.gates});
    return {read_only(tokens), gates};
  }

 private:
  stage<heddle::dispatch_stage<Dispatcher, at>, T, both, both> there_;
  stage<heddle::combine_stage<Dispatcher, at>, T, both, rows_of<T>> back_;
};

template <class T, class Dispatcher>
std::unique_ptr<transport_part<T>> transport_of(bool weights_at_origin) {
  if (weights_at_origin) return std::make_unique<without_weights<T, Dispatcher>>();
  return std::make_unique<with_weights<T, Dispatcher>>();
}

/// Those that gather tokens, that exchange rows, and that store them.
template <class T>
[[nodiscard]] std::unique_ptr<transport_part<T>> make_exchanging(int dispatcher, bool weights_at_origin);
template <class T>
[[nodiscard]] std::unique_ptr<transport_part<T>> make_storing(int dispatcher, bool weights_at_origin);

}  // namespace train
