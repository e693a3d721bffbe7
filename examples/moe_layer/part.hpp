// SPDX-License-Identifier: Apache-2.0
// A stage of one value behind an interface: what comes in, what goes out, and their gradients.
#pragma once

#include "stage.hpp"
#include <memory>

namespace probe {

template <class T, class In, class Out>
class part {
 public:
  virtual ~part() = default;
  virtual Out forward(bench<T> const& with, In value) = 0;
  /// The gradient of what `forward` got.
  virtual In backward(bench<T> const& with, Out gradient) = 0;
};

// A router's parts behind the gate.
template <class T>
using loss_part = part<T, rows_of<T>, rows_of<T>>;  ///< logits
template <class T>
using choice_part = part<T, rows_of<T>, gates_of<T>>;  ///< logits to weights
template <class T>
using drop_part = part<T, gates_of<T>, gates_of<T>>;  ///< weights

/// A sequence as a style of its own.
template <class... Operations>
struct sequence_style {
  static constexpr heddle::fixed_string name = "part";
  using weight = heddle::placement<>;
  using bias = heddle::placement<>;
  using forward = heddle::sequence<Operations...>;
  using backward = heddle::conjugate_t<forward>;
};

template <class T, class Style, class In, class Out>
class part_of final : public part<T, In, Out> {
 public:
  Out forward(bench<T> const& with, In value) override { return read_only(stage_.forward(with, value)); }
  In backward(bench<T> const& with, Out gradient) override { return read_only(stage_.backward(with, gradient)); }

 private:
  stage<Style, T, In, Out> stage_;
};

}  // namespace probe
