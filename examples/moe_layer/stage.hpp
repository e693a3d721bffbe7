// SPDX-License-Identifier: Apache-2.0
// One stage of the layer, with what it keeps from the forward to the backward pass and from there to the weights'.
#pragma once

#include "execution.hpp"
#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <optional>

namespace probe {

/// `In` is what `Style` takes, `Dy` the gradient of what it gives; tuples where there are several values.
template <class Style, class T, class In, class Dy>
class stage {
  using forward_t = decltype(heddle::forward<Style>(std::declval<execution&>(), std::declval<weights_of<T> const&>(),
                                                    std::declval<In const&>(), std::declval<step_state&>()));
  using saved_t = decltype(forward_t::saved);
  using backward_t =
      decltype(heddle::backward_data<Style>(std::declval<execution&>(), std::declval<weights_of<T> const&>(),
                                            std::declval<saved_t const&>(), std::declval<Dy const&>()));
  using pending_t = decltype(backward_t::pending);

 public:
  auto forward(bench<T> const& with, In const& x) {
    auto const result = heddle::forward<Style>(with.on, with.weights, x, with.state);
    saved_.emplace(result.saved);
    return result.y;
  }
  auto backward(bench<T> const& with, Dy const& dy) {
    auto const result = heddle::backward_data<Style>(with.on, with.weights, *saved_, dy);
    pending_.emplace(result.pending);
    return result.dx;
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) {
    heddle::backward_weights<Style>(with.on, with.weights, *saved_, *pending_, to);
  }
  /// `Start` says how tokens lie on groups that the stage does not mention.
  template <class Start>
  void reduce(bench<T> const& with, gradients_of<T> const& of) {
    heddle::reduce_gradients<heddle::sum, Style, Start>(with.on, of);
  }

 private:
  std::optional<saved_t> saved_;
  std::optional<pending_t> pending_;
};

/// The read-only form of what a stage gives.
template <class T>
rows_of<T> read_only(heddle::activation<T, memory> const& x) {
  return {x.data, x.full_hidden};
}
template <class Value>
Value read_only(Value const& x) {
  return x;
}

template <class Group>
using dealt = heddle::on<Group, heddle::sharded<heddle::tokens, heddle::as_given>>;

}  // namespace probe
