// SPDX-License-Identifier: Apache-2.0
// The families of policies behind interfaces, so that each member is compiled once and any of them can be combined at
// run time. One object serves one step of one rank: it keeps what the backward pass needs.
#pragma once

#include "choice.hpp"
#include "execution.hpp"
#include "problem.hpp"
#include <memory>

namespace probe {

/// A part with parameters.
template <class T>
class trained {
 public:
  virtual ~trained() = default;
  /// Adds the gradients of the parameters; after the backward pass of the values.
  virtual void accumulate(bench<T> const& with, gradients_of<T> const& to) = 0;
  /// Sums them over the ranks.
  virtual void reduce(bench<T> const& with, gradients_of<T> const& of) = 0;
};

/// Tokens to tokens and routing weights.
template <class T>
class router : public trained<T> {
 public:
  virtual routed<T> forward(bench<T> const& with, rows_of<T> tokens) = 0;
  /// The gradient of the tokens.
  virtual rows_of<T> backward(bench<T> const& with, routed<T> const& gradient) = 0;
};

/// Tokens to the ranks of their experts and home: a dispatcher, with the weights on board or left at the origin.
template <class T>
class transport {
 public:
  virtual ~transport() = default;
  virtual arrived<T> dispatch(bench<T> const& with, routed<T> const& tokens) = 0;
  /// `gates` are those that stayed at the origin.
  virtual rows_of<T> combine(bench<T> const& with, rows_of<T> rows, gates_of<T> gates) = 0;
  /// The gradients of what `combine` got.
  virtual arrived<T> combine_backward(bench<T> const& with, rows_of<T> gradient) = 0;
  virtual routed<T> dispatch_backward(bench<T> const& with, arrived<T> const& gradient) = 0;
};

/// Rows in expert order through their experts.
template <class T>
class expert : public trained<T> {
 public:
  virtual rows_of<T> forward(bench<T> const& with, arrived<T> const& rows) = 0;
  /// The gradients of rows and, unless they stayed at the origin, of their weights.
  virtual arrived<T> backward(bench<T> const& with, rows_of<T> gradient) = 0;
};

/// Tokens through the expert that all of them visit.
template <class T>
class shared : public trained<T> {
 public:
  virtual rows_of<T> forward(bench<T> const& with, rows_of<T> tokens) = 0;
  virtual rows_of<T> backward(bench<T> const& with, rows_of<T> gradient) = 0;
};

/// Whether the experts run with biases: those that are given, zeros in place of others.
template <class T>
[[nodiscard]] bool with_biases(problem<T> const& of, choice const& chosen) {
  return chosen.recompute || of.find(tensor_name::gate_up_bias) != nullptr ||
         of.find(tensor_name::down_bias) != nullptr;
}

/// The members that the settings and the user ask for. Throws unsupported for what the build does not have.
template <class T>
[[nodiscard]] std::unique_ptr<router<T>> make_router(config const& is);
template <class T>
[[nodiscard]] std::unique_ptr<transport<T>> make_transport(choice const& is);
template <class T>
[[nodiscard]] std::unique_ptr<expert<T>> make_expert(config const& is, choice const& chosen, bool biased);
template <class T>
[[nodiscard]] std::unique_ptr<shared<T>> make_shared_expert(config const& is, bool gated);

}  // namespace probe
