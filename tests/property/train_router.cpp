// SPDX-License-Identifier: Apache-2.0
// A router from parts that meet at values: every loss, every way to drop; and experts that return their input.
#include "../support/train_parts.hpp"

#include <heddle/compute/identity_experts.hpp>
#include <heddle/kernel/weigh.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/losses.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace train {

namespace {

using heddle::balance_over;
using heddle::balance_scale;
using heddle::drop_by;
using heddle::expert_room;
using oracle::loss_kind;
using oracle::score_kind;

template <class T, class Score>
std::unique_ptr<rows_part<T>> losses_by(loss_kind kind) {
  auto const with = []<balance_scale Scale, balance_over Over>() -> std::unique_ptr<rows_part<T>> {
    using terms =
        heddle::losses<heddle::dealt_over<etp, ep, edp>, heddle::aux_loss<Score, Scale, Over>, heddle::z_loss>;
    return std::make_unique<simple_part<T, style_of<terms>, rows_of<T>, rows_of<T>>>();
  };
  if (kind == loss_kind::sequence) return with.template operator()<balance_scale::megatron, balance_over::sequences>();
  if (kind == loss_kind::huggingface)
    return with.template operator()<balance_scale::huggingface, balance_over::tokens>();
  return with.template operator()<balance_scale::megatron, balance_over::tokens>();
}

template <class T>
class staged_router final : public router_part<T> {
  using gate = heddle::route_stage<heddle::composed_router<heddle::gate>>;  // tokens, and their logits

 public:
  staged_router(oracle::settings const& is, bool everywhere)
      : everywhere_{everywhere}, losses_{make_losses<T>(is)}, choice_{make_choice<T>(is)}, drop_{make_drop<T>(is)} {}

  routed<T> forward(bench<T> const& with, rows_of<T> tokens) override {
    auto const [same, logits] = gate_.forward(with, tokens);
    gates_of<T> const chosen =
        choice_->forward(with, losses_ ? losses_->forward(with, read_only(logits)) : read_only(logits));
    return {read_only(same), drop_ ? drop_->forward(with, chosen) : chosen};
  }
  rows_of<T> backward(bench<T> const& with, routed<T> const& gradient) override {
    rows_of<T> const chosen = choice_->backward(with, drop_ ? drop_->backward(with, gradient.gates) : gradient.gates);
    rows_of<T> const logits = losses_ ? losses_->backward(with, chosen) : chosen;
    return read_only(gate_.backward(with, {gradient.tokens, logits}));
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { gate_.accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override {
    if (everywhere_) gate_.template reduce<heddle::placement<dealt<edp>>>(with, of);
    else gate_.template reduce<dealt_to_all>(with, of);
  }

 private:
  bool everywhere_;
  stage<gate, T, rows_of<T>, std::tuple<rows_of<T>, rows_of<T>>> gate_;
  std::unique_ptr<rows_part<T>> losses_;
  std::unique_ptr<choice_part<T>> choice_;
  std::unique_ptr<drop_part<T>> drop_;
};

template <class T>
class identity_experts final : public identity_part<T> {
  using in = std::tuple<rows_of<T>, gates_of<T>>;
  using out = std::tuple<rows_of<T>, gates_of<T>, rows_of<T>>;

 public:
  split_tokens<T> forward(bench<T> const& with, routed<T> value) override {
    auto const [tokens, gates, own] = stage_.forward(with, {value.tokens, value.gates});
    return {{read_only(tokens), gates}, read_only(own)};
  }
  routed<T> backward(bench<T> const& with, split_tokens<T> gradient) override {
    auto const [tokens, gates] = stage_.backward(with, {gradient.others.tokens, gradient.others.gates, gradient.own});
    return {read_only(tokens), gates};
  }

 private:
  stage<style_of<heddle::identity_experts<>>, T, in, out> stage_;
};

}  // namespace

template <class T>
std::unique_ptr<rows_part<T>> make_losses(oracle::settings const& is) {
  if (!is.aux_loss_coeff && !is.z_loss_coeff) return nullptr;
  if (is.score == score_kind::sigmoid) return losses_by<T, heddle::kernel::sigmoid_score>(is.aux_loss);
  if (is.score == score_kind::sqrtsoftplus) return losses_by<T, heddle::kernel::sqrtsoftplus_score>(is.aux_loss);
  return losses_by<T, heddle::kernel::softmax_score>(is.aux_loss);
}
template <class T>
std::unique_ptr<drop_part<T>> make_drop(oracle::settings const& is) {
  auto const with = []<drop_by By, expert_room Room>() -> std::unique_ptr<drop_part<T>> {
    return std::make_unique<simple_part<T, style_of<heddle::drop<By, Room>>, gates_of<T>, gates_of<T>>>();
  };
  if (!is.capacity_factor) return nullptr;
  if (is.by_position && is.pad_to_capacity)
    return with.template operator()<drop_by::position, expert_room::to_capacity>();
  if (is.by_position) return with.template operator()<drop_by::position, expert_room::as_chosen>();
  if (is.pad_to_capacity) return with.template operator()<drop_by::probability, expert_room::to_capacity>();
  return with.template operator()<drop_by::probability, expert_room::as_chosen>();
}
template <class T>
std::unique_ptr<router_part<T>> make_router(oracle::settings const& is, bool everywhere) {
  return std::make_unique<staged_router<T>>(is, everywhere);
}
template <class T>
std::unique_ptr<identity_part<T>> make_identity() {
  return std::make_unique<identity_experts<T>>();
}

template std::unique_ptr<router_part<float>> make_router<float>(oracle::settings const&, bool);
template std::unique_ptr<router_part<double>> make_router<double>(oracle::settings const&, bool);
template std::unique_ptr<identity_part<float>> make_identity<float>();
template std::unique_ptr<identity_part<double>> make_identity<double>();

}  // namespace train
