// SPDX-License-Identifier: Apache-2.0
// The step of one rank, stage by stage, on whichever execution the program has; and what surrounds it on every one.
#pragma once

#include "families.hpp"
#include "job.hpp"
#include "parameters.hpp"
#include <algorithm>
#include <heddle/kernel/add.hpp>
#include <heddle/kernel/balance_bias.hpp>
#include <heddle/kernel/capacity.hpp>
#include <heddle/layer/gradients.hpp>

namespace probe {

/// x + y in the step's workspace.
template <class T>
rows_of<T> sum_of(execution& on, rows_of<T> x, rows_of<T> y) {
  T* const sum = on.template allocate<T>(x.data.count());
  heddle::rows<T, memory> const rows{sum, x.data.shape()};
  on.launch(heddle::kernel::add<T, memory>{.a = x.data, .b = y.data, .y = rows}, rows.shape()[0]);
  return {{sum, rows.shape()}, x.full_hidden};
}

/// The step of one rank, stage by stage.
template <class T>
class step {
 public:
  step(problem<T> const& of, choice const& chosen, bench<T> const& with)
      : delay_{chosen.delay_wgrad},
        with_{with},
        router_{make_router<T>(of.settings)},
        transport_{make_transport<T>(chosen)},
        expert_{make_expert<T>(of.settings, chosen, with_biases(of, chosen))} {
    if (of.find(tensor_name::shared_down_proj) != nullptr)
      shared_ = make_shared_expert<T>(of.settings, of.find(tensor_name::shared_gate_weight) != nullptr);
  }

  struct outcome {
    rows_of<T> y;
    gates_of<T> gates;
  };
  outcome forward(rows_of<T> x) {
    routed<T> const tokens = router_->forward(with_, x);
    arrived<T> const rows = transport_->dispatch(with_, tokens);
    rows_of<T> y = transport_->combine(with_, expert_->forward(with_, rows), rows.gates);
    if (shared_) y = sum_of(with_.on, y, shared_->forward(with_, x));
    return {y, tokens.gates};
  }

  /// Adds to `gradients`; returns the gradient of x.
  rows_of<T> backward(rows_of<T> dy, gradients_of<T> const& gradients) {
    std::vector<trained<T>*> parts;
    auto const passed = [&](trained<T>& part) {
      parts.push_back(&part);
      if (!delay_) part.accumulate(with_, gradients);
    };
    arrived<T> const home = transport_->combine_backward(with_, dy);
    arrived<T> there = expert_->backward(with_, home.rows);
    passed(*expert_);
    if (home.gates.weights.data() != nullptr) there.gates = home.gates;
    rows_of<T> dx = router_->backward(with_, transport_->dispatch_backward(with_, there));
    passed(*router_);
    if (shared_) {
      dx = sum_of(with_.on, dx, shared_->backward(with_, dy));
      passed(*shared_);
    }
    for (trained<T>* const part : parts) {
      if (delay_) part->accumulate(with_, gradients);
    }
    for (trained<T>* const part : parts) part->reduce(with_, gradients);
    return dx;
  }

 private:
  bool delay_;
  bench<T> with_;
  std::unique_ptr<router<T>> router_;
  std::unique_ptr<transport<T>> transport_;
  std::unique_ptr<expert<T>> expert_;
  std::unique_ptr<shared<T>> shared_;
};

/// Throws argument where experts that are filled up to their capacity have more rows than can be numbered. With etp
/// ranks to an expert the tokens of all of them meet there.
template <class T>
void require_countable(problem<T> const& of, choice const& chosen) {
  config const& is = of.settings;
  if (!is.pad_to_capacity || !is.capacity_factor) return;
  index_t const most = own_tokens(of.tokens, chosen.ranks, 0).size;
  index_t const rows = heddle::kernel::expert_capacity(most, is.top_k, of.experts, *is.capacity_factor);
  constexpr index_t countable = 0x7fffffff;
  if (rows * of.experts * chosen.etp > countable) {
    throw heddle::error(heddle::error_kind::argument,
                        "config.capacity_factor is " + std::to_string(*is.capacity_factor) + ": " +
                            std::to_string(of.experts) + " experts padded to " + std::to_string(rows) +
                            " rows for each of --etp " + std::to_string(chosen.etp) + " ranks have more than " +
                            std::to_string(countable),
                        "use a smaller factor, or leave out pad_to_capacity");
  }
}

template <class T>
void require_supported(problem<T> const& of, choice const& chosen) {
  require_countable(of, chosen);
  static_cast<void>(make_router<T>(of.settings));
  static_cast<void>(make_transport<T>(chosen));
  static_cast<void>(make_expert<T>(of.settings, chosen, with_biases(of, chosen)));
}

/// Entries of each expert among the tokens of all ranks.
template <class T>
std::vector<std::int64_t> counted(communicator& world, problem<T> const& of, std::span<index_t const> own) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(of.experts), 0);
  std::copy(own.begin(), own.end(), counts.begin());
  world.all_reduce(std::span<std::int64_t>{counts});
  return counts;
}

template <class T>
std::vector<T> updated_bias(problem<T> const& of, std::vector<std::int64_t> const& counts) {
  using heddle::kernel::bias_rule;
  std::vector<T> bias(static_cast<std::size_t>(of.experts));
  if (array<T> const* const given = of.find(tensor_name::expert_bias)) bias = given->values;
  bool const zero_mean = of.settings.bias_update == update_kind::torchtitan;
  if (of.settings.bias_update_rate) {
    heddle::kernel::update_expert_bias(std::span<T>{bias}, std::span<std::int64_t const>{counts},
                                       *of.settings.bias_update_rate,
                                       zero_mean ? bias_rule::torchtitan : bias_rule::megatron);
  }
  return bias;
}

}  // namespace probe
