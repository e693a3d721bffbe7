// SPDX-License-Identifier: Apache-2.0
// A dispatcher behind the interface.
#pragma once

#include "families.hpp"
#include "stage.hpp"
#include <heddle/style/expert_parallel.hpp>

namespace probe {

/// Weights travel with the rows.
template <class T, class Dispatcher>
class transport_with_weights final : public transport<T> {
  static constexpr heddle::weight_at at = heddle::weight_at::output;  // the same stages for input and activation
  using tokens_in = std::tuple<rows_of<T>, gates_of<T>>;
  using rows_in = std::tuple<rows_of<T>, row_gates_of<T>>;

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
  stage<heddle::dispatch_stage<Dispatcher, at>, T, tokens_in, rows_in> there_;
  stage<heddle::combine_stage<Dispatcher, at>, T, rows_of<T>, rows_of<T>> back_;
};

/// Weights stay with their tokens.
template <class T, class Dispatcher>
class transport_without_weights final : public transport<T> {
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

/// The two forms of one dispatcher; each dispatcher is a translation unit of its own.
template <class T, class Dispatcher>
std::unique_ptr<transport<T>> transport_of(place_kind at) {
  if (at == place_kind::origin) return std::make_unique<transport_without_weights<T, Dispatcher>>();
  return std::make_unique<transport_with_weights<T, Dispatcher>>();
}

template <class T>
std::unique_ptr<transport<T>> make_masked(place_kind at);
template <class T>
std::unique_ptr<transport<T>> make_all_gather(place_kind at);
template <class T>
std::unique_ptr<transport<T>> make_all_to_all(place_kind at);
template <class T>
std::unique_ptr<transport<T>> make_dedup(place_kind at);
template <class T>
std::unique_ptr<transport<T>> make_flex(place_kind at);
template <class T>
std::unique_ptr<transport<T>> make_direct(place_kind at);

}  // namespace probe
