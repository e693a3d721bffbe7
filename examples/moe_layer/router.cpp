// SPDX-License-Identifier: Apache-2.0
#include "families.hpp"
#include "router_parts.hpp"
#include <heddle/router/compose.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace probe {

namespace {

/// Gate, losses, choice and drops one after another, meeting at values.
template <class T>
class staged_router final : public router<T> {
  using gate = heddle::route_stage<heddle::composed_router<heddle::gate>>;  // tokens, and their logits
  using both = std::tuple<rows_of<T>, rows_of<T>>;

 public:
  explicit staged_router(config const& is)
      : losses_{make_losses<T>(is)}, choice_{make_choice<T>(is)}, drop_{make_drop<T>(is)} {}

  routed<T> forward(bench<T> const& with, rows_of<T> tokens) override {
    auto const [same, logits] = gate_.forward(with, tokens);
    rows_of<T> const judged = losses_ ? losses_->forward(with, read_only(logits)) : read_only(logits);
    gates_of<T> const chosen = choice_->forward(with, judged);
    return {read_only(same), drop_ ? drop_->forward(with, chosen) : chosen};
  }
  rows_of<T> backward(bench<T> const& with, routed<T> const& gradient) override {
    gates_of<T> const chosen = drop_ ? drop_->backward(with, gradient.gates) : gradient.gates;
    rows_of<T> const judged = choice_->backward(with, chosen);
    rows_of<T> const logits = losses_ ? losses_->backward(with, judged) : judged;
    return read_only(gate_.backward(with, {gradient.tokens, logits}));
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { gate_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    gate_.template reduce<heddle::placement<dealt<etp>, dealt<ep>, dealt<edp>>>(with, of);
  }

 private:
  stage<gate, T, rows_of<T>, both> gate_;
  std::unique_ptr<loss_part<T>> losses_;
  std::unique_ptr<choice_part<T>> choice_;
  std::unique_ptr<drop_part<T>> drop_;
};

}  // namespace

template <class T>
std::unique_ptr<choice_part<T>> make_choice(config const& is) {
  switch (is.score) {
    case score_kind::softmax: break;
    case score_kind::sigmoid: return make_sigmoid_choice<T>(is);
    case score_kind::sqrtsoftplus: return make_sqrtsoftplus_choice<T>(is);
  }
  return make_softmax_choice<T>(is);
}

template <class T>
std::unique_ptr<router<T>> make_router(config const& is) {
  return std::make_unique<staged_router<T>>(is);
}

template std::unique_ptr<router<float>> make_router<float>(config const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<router<double>> make_router<double>(config const&);
#endif

}  // namespace probe
