// SPDX-License-Identifier: Apache-2.0
// The parts of a training step that can be any of several, chosen by number or by settings. One object serves one step
// of one rank: it keeps what the backward pass needs.
#pragma once

#include "moe_oracle.hpp"
#include "train_values.hpp"

#include <memory>

namespace train {

/// From a value to a value, and gradients the other way.
template <class T, class In, class Out>
class part {
 public:
  virtual ~part() = default;
  virtual Out forward(bench<T> const& with, In value) = 0;
  virtual In backward(bench<T> const& with, Out gradient) = 0;
  /// Adds the gradients of parameters; after the backward pass of the values, at once or later.
  virtual void accumulate(bench<T> const&, gradients_of<T> const&) {}
  /// Sums them over the ranks.
  virtual void reduce(bench<T> const&, gradients_of<T> const&) {}
};

/// A stage of one value.
template <class T, class Style, class In, class Out>
class simple_part final : public part<T, In, Out> {
 public:
  Out forward(bench<T> const& with, In value) override { return read_only(stage_.forward(with, value)); }
  In backward(bench<T> const& with, Out gradient) override { return read_only(stage_.backward(with, gradient)); }

 private:
  stage<Style, T, In, Out> stage_;
};

template <class T>
using rows_part = part<T, rows_of<T>, rows_of<T>>;  ///< tokens, or logits
template <class T>
using choice_part = part<T, rows_of<T>, gates_of<T>>;  ///< logits to weights
template <class T>
using drop_part = part<T, gates_of<T>, gates_of<T>>;
template <class T>
using expert_part = part<T, arrived<T>, arrived<T>>;  ///< rows to rows; gradients of weights come with the rows'

/// A router from gate, losses, choice and drop, and experts that return their input behind it.
template <class T>
class router_part {
 public:
  virtual ~router_part() = default;
  virtual routed<T> forward(bench<T> const& with, rows_of<T> tokens) = 0;
  virtual rows_of<T> backward(bench<T> const& with, routed<T> const& gradient) = 0;
  virtual void accumulate(bench<T> const& with, gradients_of<T> const& to) = 0;
  virtual void reduce(bench<T> const& with, gradients_of<T> const& of) = 0;
};

/// Tokens to their experts and home.
template <class T>
class transport_part {
 public:
  virtual ~transport_part() = default;
  virtual arrived<T> dispatch(bench<T> const& with, routed<T> const& tokens) = 0;
  /// `gates` are those that stayed at the origin.
  virtual rows_of<T> combine(bench<T> const& with, rows_of<T> rows, gates_of<T> gates) = 0;
  virtual arrived<T> combine_backward(bench<T> const& with, rows_of<T> gradient) = 0;
  virtual routed<T> dispatch_backward(bench<T> const& with, arrived<T> const& gradient) = 0;
};

/// What is left at home for experts that return their input.
template <class T>
struct split_tokens {
  routed<T> others;
  rows_of<T> own;  ///< a summand of the output
};
template <class T>
using identity_part = part<T, routed<T>, split_tokens<T>>;

// What the settings ask for; null where they ask for nothing.
template <class T>
[[nodiscard]] std::unique_ptr<rows_part<T>> make_losses(oracle::settings const& is);
template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_choice(oracle::settings const& is);
template <class T>
[[nodiscard]] std::unique_ptr<drop_part<T>> make_drop(oracle::settings const& is);
/// `everywhere`: tokens are on every rank of ep x etp, not dealt to them.
template <class T>
[[nodiscard]] std::unique_ptr<router_part<T>> make_router(oracle::settings const& is, bool everywhere);
template <class T>
[[nodiscard]] std::unique_ptr<identity_part<T>> make_identity();
/// From the dense grid to that of the experts, `there`, or the way home.
template <class T>
[[nodiscard]] std::unique_ptr<rows_part<T>> make_regrid(bool there);

/// The dispatchers by number, as in `dispatcher_names`.
template <class T>
[[nodiscard]] std::unique_ptr<transport_part<T>> make_transport(int dispatcher, bool weights_at_origin);

}  // namespace train
