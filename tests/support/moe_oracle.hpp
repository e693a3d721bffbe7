// SPDX-License-Identifier: Apache-2.0
// A whole mixture-of-experts layer in double on one rank, forward and backward, token by token and slot by slot: what
// every policy of the library is measured against. It shares no code with the library.
#pragma once

#include "oracle_expert.hpp"
#include "oracle_losses.hpp"

namespace oracle {

struct result {
  tensor output;      ///< [T, H]
  indices_t indices;  ///< [T, K], -1 = dropped or padding
  tensor weights;     ///< [T, K]
  indices_t tokens_per_expert, dropped_per_expert;
  double aux = 0, z = 0;
  numbers updated_bias;
  std::map<std::string, tensor> gradients{};  ///< by name of the input; empty without grad_output
  /// The smallest gap in what is compared: selection values of neighbouring slots, group scores at the last kept group,
  /// weights at the capacity. Draw again where rounding could be larger. Ties on purpose have margin 0.
  double margin = 0;
  double untied_margin = 0;  ///< the same without ties
  double kink = 0;           ///< the smallest distance of an activation's input to a jump of its slope
  /// Of `measured_layer`: the largest size of the numbers of each tensor, by its name in the probe's output file.
  std::map<std::string, double> sizes{};
};

/// The parts of the layer that are networks.
class networks {
 public:
  explicit networks(layer const& of) : of_{of} {}

  [[nodiscard]] network expert(index_t e) const {
    tensor const& w2 = of_.at("down_proj");
    return {part("gate_up_proj", e), part("gate_up_bias", e), part("down_proj", e), part("down_bias", e), w2[1], w2[2],
            of_.is.activation,       of_.is.interleaved};
  }
  [[nodiscard]] network shared() const {
    tensor const& w2 = of_.at("shared.down_proj");
    return {of_.at("shared.gate_up_proj").data.data(),
            nullptr,
            w2.data.data(),
            nullptr,
            w2[0],
            w2[1],
            of_.is.activation,
            of_.is.interleaved};
  }

 private:
  [[nodiscard]] double const* part(std::string const& name, index_t e) const {
    tensor const* const found = of_.find(name);
    return found == nullptr ? nullptr : row(*found, e);
  }
  layer const& of_;
};

/// Runs the layer forward and, where it has a grad_output, backward.
template <class Real>
class run {
  using reals = std::vector<Real>;

 public:
  run(layer const& of, index_t chunks)
      : of_{of},
        routing_{route<Real>(of, chunks)},
        losses_{losses_of(of, routing_)},
        output_{of.at("hidden").shape},
        weights_{heddle::shape_t{of.tokens(), of.is.top_k}} {
    is_.indices = routing_.indices;
    weights_.data = routing_.weights;
    is_.tokens_per_expert = routing_.kept;
    is_.dropped_per_expert = routing_.dropped;
    is_.aux = value_of(losses_.aux);
    is_.z = value_of(losses_.z);
    array<Real> bias{heddle::shape_t{of.experts()}};
    bias.data = updated_bias<Real>(of, routing_.kept);
    is_.updated_bias = bias.values().data;
    is_.margin = std::min(routing_.margin, losses_.margin);
    is_.untied_margin = std::min(routing_.untied_margin, losses_.untied_margin);
    is_.kink = std::numeric_limits<double>::infinity();
    if (of.find("grad_output") != nullptr) {
      for (auto const& [name, value] : of.tensors) {
        if (name != "grad_output" && name != "expert_bias") gradients_.emplace(name, array<Real>{value.shape});
      }
    }
    for (index_t t = 0; t < of.tokens(); ++t) {
      if (!of.valid(t)) continue;
      reals dweights;
      for (index_t k = 0; k < of.is.top_k; ++k) dweights.push_back(slot(t, k));
      if (of.find("shared.down_proj") != nullptr) shared(t);
      if (backward()) logits(t, dweights);
    }
    is_.output = output_.values();
    is_.weights = weights_.values();
    is_.sizes = {{"output", output_.size()},
                 {"weights", weights_.size()},
                 {"loss.aux", size_of(losses_.aux)},
                 {"loss.z", size_of(losses_.z)},
                 {"expert_bias.updated", bias.size()}};
    for (auto const& [name, gradient] : gradients_) {
      is_.gradients.emplace(name, gradient.values());
      is_.sizes.emplace("grad." + name, gradient.size());
    }
  }
  [[nodiscard]] result const& is() const { return is_; }

 private:
  [[nodiscard]] bool backward() const { return of_.find("grad_output") != nullptr; }
  [[nodiscard]] reals token(std::string const& name, index_t t) const {
    double const* const values = row(of_.at(name), t);
    return {values, values + of_.hidden()};
  }
  [[nodiscard]] Real* gradient(std::string const& name, index_t i) {
    auto const found = gradients_.find(name);
    return found == gradients_.end() ? nullptr : row(found->second, i);
  }
  static void add(Real* to, Real const& factor, reals const& x) {
    for (std::size_t h = 0; h < x.size(); ++h) to[h] += factor * x[h];
  }
  static Real inner(reals const& x, reals const& y) {
    Real sum = 0;
    for (std::size_t h = 0; h < x.size(); ++h) sum += x[h] * y[h];
    return sum;
  }

  /// One kept slot; returns the gradient of its weight.
  Real slot(index_t t, index_t k) {
    index_t const e = is_.indices[at(t * of_.is.top_k + k)];
    if (e < 0) return 0;
    Real const w = weights_.data[at(t * of_.is.top_k + k)];
    reals const x = token("hidden", t);
    if (e >= of_.experts() - of_.is.identity) {
      add(row(output_, t), w, x);
      if (!backward()) return 0;
      add(gradient("hidden", t), w, token("grad_output", t));
      return inner(x, token("grad_output", t));
    }
    Real const before = of_.is.weight_at_input ? w : Real{1};
    Real const after = of_.is.weight_at_input ? Real{1} : w;
    reals scaled;
    for (Real const& value : x) scaled.push_back(before * value);
    pass_of<Real> const through{networks{of_}.expert(e), scaled};
    is_.kink = std::min(is_.kink, through.kink());
    add(row(output_, t), after, through.output());
    if (!backward()) return 0;
    reals const dy = token("grad_output", t);
    reals dout;
    for (Real const& value : dy) dout.push_back(after * value);
    reals const din = through.backward(dout, {gradient("gate_up_proj", e), gradient("gate_up_bias", e),
                                              gradient("down_proj", e), gradient("down_bias", e)});
    add(gradient("hidden", t), before, din);
    return of_.is.weight_at_input ? inner(x, din) : inner(through.output(), dy);
  }

  void shared(index_t t) {
    reals const x = token("hidden", t);
    pass_of<Real> const through{networks{of_}.shared(), x};
    is_.kink = std::min(is_.kink, through.kink());
    Real open = 1;
    tensor const* const gate = of_.find("shared.gate.weight");
    if (gate != nullptr) open = sigmoid(inner(x, given(*gate)));
    add(row(output_, t), open, through.output());
    if (!backward()) return;
    reals const dy = token("grad_output", t);
    reals dout;
    for (Real const& value : dy) dout.push_back(open * value);
    add(gradient("hidden", t), 1,
        through.backward(dout,
                         {gradient("shared.gate_up_proj", 0), nullptr, gradient("shared.down_proj", 0), nullptr}));
    if (gate == nullptr) return;
    Real const dlogit = inner(through.output(), dy) * open * (1 - open);
    add(gradient("shared.gate.weight", 0), dlogit, x);
    add(gradient("hidden", t), dlogit, given(*gate));
  }

  /// From weights and losses through the logits to the router and the token.
  void logits(index_t t, reals const& dweights) {
    reals dz = token_weights_gradient(of_.is, routing_.logits[at(t)], routing_.scores[at(t)],
                                      routing_.chosen.data() + t * of_.is.top_k, dweights.data());
    for (std::size_t e = 0; e < dz.size(); ++e) dz[e] += losses_.dlogits[at(t)][e];
    for (index_t e = 0; e < of_.experts(); ++e) {
      add(gradient("router.weight", e), dz[at(e)], token("hidden", t));
      add(gradient("hidden", t), dz[at(e)],
          {row(of_.at("router.weight"), e), row(of_.at("router.weight"), e) + of_.hidden()});
      if (Real* const bias = gradient("router.bias", 0)) bias[e] += dz[at(e)];
    }
  }

  static reals given(tensor const& x) { return {x.data.begin(), x.data.end()}; }

  layer const& of_;
  routing_of<Real> routing_;
  loss_terms<Real> losses_;
  array<Real> output_, weights_;
  std::map<std::string, array<Real>> gradients_{};
  result is_;
};

/// The layer on `chunks` chunks of neighbouring tokens, the first ones holding one more where the division leaves a
/// rest; they matter to the capacity alone.
[[nodiscard]] inline result run_layer(layer const& of, index_t chunks = 1) { return run<double>{of, chunks}.is(); }
/// The same, and the sizes of its numbers.
[[nodiscard]] inline result measured_layer(layer const& of, index_t chunks = 1) {
  return run<measured>{of, chunks}.is();
}

}  // namespace oracle
