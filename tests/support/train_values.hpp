// SPDX-License-Identifier: Apache-2.0
// The values at which the policies of a mixture of experts meet at run time: a training step in stages, each compiled
// once, any of which can follow any other.
#pragma once

#include "train_gemm.hpp"

#include <heddle/collective/mesh_groups.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/thread_communicator.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/layer/routing.hpp>
#include <heddle/mesh/folding.hpp>
#include <optional>

namespace train {

using heddle::dp;
using heddle::edp;
using heddle::ep;
using heddle::etp;
using heddle::index_t;
using heddle::tp;
using both_groups = heddle::joint<etp, ep>;
using groups = heddle::mesh_groups<heddle::host::thread_communicator, tp, dp, etp, ep, edp, both_groups>;
using execution = heddle::host::execution<gemm, groups>;
using step_state = heddle::step_state<>;

// A gradient has the type of what it is the gradient of.
template <class T>
using rows_of = heddle::activation<T const>;
template <class T>
using gates_of = heddle::gates<heddle::host_memory, T>;
template <class T>
using row_gates_of = heddle::row_gates<heddle::host_memory, T>;

/// One set of numbers seen twice: experts are stored one way or the other, the rest is in the first.
template <class T>
struct weights_of {
  heddle::moe_weights<T> straight{};
  heddle::moe_weights<T, heddle::host_memory, heddle::in_out> turned{};
};
template <class T>
struct gradients_of {
  heddle::moe_gradients<T> straight;
  heddle::moe_gradients<T, heddle::host_memory, heddle::in_out> turned;
};
template <class Order, class Both>
auto const& stored(Both const& of) {
  if constexpr (std::same_as<Order, heddle::in_out>) return of.turned;
  else return of.straight;
}

/// What a rank has to run its part of a step.
template <class T>
struct bench {
  execution& on;
  weights_of<T> const& weights;
  step_state& state;
};

/// What leaves the router, ...
template <class T>
struct routed {
  rows_of<T> tokens;
  gates_of<T> gates;
};
/// ... and what reaches the experts: weights are with the rows or have stayed at the origin.
template <class T>
struct arrived {
  rows_of<T> rows;
  row_gates_of<T> row_gates{};
  gates_of<T> gates{};
};

/// Results are handed on read only.
template <class T>
rows_of<T> read_only(heddle::activation<T> const& x) {
  return {x.data, x.full_hidden};
}
template <class Value>
Value read_only(Value const& x) {
  return x;
}

template <class Group>
using dealt = heddle::on<Group, heddle::sharded<heddle::tokens, heddle::as_given>>;
using dealt_to_all = heddle::placement<dealt<etp>, dealt<ep>, dealt<edp>>;

/// A sequence as a style of its own.
template <class... Operations>
struct style_of {
  static constexpr heddle::fixed_string name = "part";
  using weight = heddle::placement<>;
  using bias = heddle::placement<>;
  using forward = heddle::sequence<Operations...>;
  using backward = heddle::conjugate_t<forward>;
};

/// `In` is what `Style` takes, `Dy` the gradient of what it gives; tuples where there are several values.
template <class Style, class T, class In, class Dy, class Order = heddle::out_in>
class stage {
  using weights_t = std::remove_cvref_t<decltype(stored<Order>(std::declval<weights_of<T> const&>()))>;
  using forward_t = decltype(heddle::forward<Style>(std::declval<execution&>(), std::declval<weights_t const&>(),
                                                    std::declval<In const&>(), std::declval<step_state&>()));
  using saved_t = decltype(forward_t::saved);
  using backward_t = decltype(heddle::backward_data<Style>(std::declval<execution&>(), std::declval<weights_t const&>(),
                                                           std::declval<saved_t const&>(), std::declval<Dy const&>()));
  using pending_t = decltype(backward_t::pending);

 public:
  auto forward(bench<T> const& with, In const& x) {
    auto const result = heddle::forward<Style>(with.on, stored<Order>(with.weights), x, with.state);
    saved_.emplace(result.saved);
    return result.y;
  }
  auto backward(bench<T> const& with, Dy const& dy) {
    auto const result = heddle::backward_data<Style>(with.on, stored<Order>(with.weights), *saved_, dy);
    pending_.emplace(result.pending);
    return result.dx;
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) {
    heddle::backward_weights<Style>(with.on, stored<Order>(with.weights), *saved_, *pending_, stored<Order>(to));
  }
  /// `Start` says how tokens lie on groups that the style does not mention.
  template <class Start>
  void reduce(bench<T> const& with, gradients_of<T> const& of) {
    heddle::reduce_gradients<heddle::sum, Style, Start>(with.on, stored<Order>(of));
  }

 private:
  std::optional<saved_t> saved_;
  std::optional<pending_t> pending_;
};

}  // namespace train
