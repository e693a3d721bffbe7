// SPDX-License-Identifier: Apache-2.0
#include "make_expert.hpp"
#include "part.hpp"

namespace probe {

namespace {

/// visit.operator()<Family>() for the family of the activation and layout.
template <class Visit>
auto with_family(config const& is, Visit const& visit) {
  bool const mixed = is.glu_layout == layout_kind::interleaved;
  auto const of = [&]<class Halves, class Interleaved>() {
    return mixed ? visit.template operator()<Interleaved>() : visit.template operator()<Halves>();
  };
#if defined(PROBE_ON_GPU)  // one family, for the time that nvcc takes
  if (is.activation != activation_kind::swiglu) {
    throw heddle::error(
        heddle::error_kind::unsupported,
        std::string{"--device cuda has no kernels for config.activation \""} + name_of(is.activation) + "\"",
        "use \"swiglu\", or --device host");
  }
#else
  switch (is.activation) {
    case activation_kind::swiglu: break;
    case activation_kind::geglu: return of.template operator()<geglu_halves, geglu_interleaved>();
    case activation_kind::quick_geglu: return of.template operator()<quick_geglu_halves, quick_geglu_interleaved>();
    case activation_kind::gpt_oss: return of.template operator()<gpt_oss_halves, gpt_oss_interleaved>();
    case activation_kind::squared_relu: return visit.template operator()<plain_squared_relu>();
    case activation_kind::relu: return visit.template operator()<plain_relu>();
    case activation_kind::gelu: return visit.template operator()<plain_gelu>();
  }
#endif
  return of.template operator()<swiglu_halves, swiglu_interleaved>();
}

/// Weights meet the rows before or behind an expert that knows nothing of them.
template <class T, bool Before>
class weighed_outside final : public expert<T> {
  using parts = heddle::glu_expert<>::on_groups<ep, etp>;
  using place = std::conditional_t<Before, parts::entered, parts::left>;
  using scale = sequence_style<heddle::gate_scale<place, parts::entered>>;
  using both = std::tuple<rows_of<T>, row_gates_of<T>>;

 public:
  explicit weighed_outside(std::unique_ptr<expert<T>> inside) : inside_{std::move(inside)} {}
  rows_of<T> forward(bench<T> const& with, arrived<T> const& x) override {
    if constexpr (Before) return inside_->forward(with, {read_only(scale_.forward(with, {x.rows, x.row_gates}))});
    else return read_only(scale_.forward(with, {inside_->forward(with, {x.rows}), x.row_gates}));
  }
  arrived<T> backward(bench<T> const& with, rows_of<T> gradient) override {
    if constexpr (Before) gradient = inside_->backward(with, gradient).rows;
    auto const [rows, gates] = scale_.backward(with, gradient);
    return {Before ? read_only(rows) : inside_->backward(with, read_only(rows)).rows, gates};
  }
  void accumulate(bench<T> const& with, gradients_of<T> const& to) override { inside_->accumulate(with, to); }
  void reduce(bench<T> const& with, gradients_of<T> const& of) override { inside_->reduce(with, of); }

 private:
  std::unique_ptr<expert<T>> inside_;
  stage<scale, T, both, rows_of<T>> scale_;
};

}  // namespace

template <class T>
std::unique_ptr<expert<T>> make_expert(config const& is, choice const& chosen, bool biased) {
  expert_wish const wish{chosen.expert, chosen.weight_at == place_kind::activation, biased, chosen.recompute};
  auto made = with_family(is, [&]<class Family>() { return make_family_expert<T, Family>(wish); });
  if (chosen.weight_at == place_kind::input) return std::make_unique<weighed_outside<T, true>>(std::move(made));
  if (chosen.weight_at == place_kind::output) return std::make_unique<weighed_outside<T, false>>(std::move(made));
  return made;
}
template <class T>
std::unique_ptr<shared<T>> make_shared_expert(config const& is, bool gated) {
  return with_family(is, [&]<class Family>() { return make_family_shared<T, Family>(gated); });
}

template std::unique_ptr<expert<float>> make_expert<float>(config const&, choice const&, bool);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<expert<double>> make_expert<double>(config const&, choice const&, bool);
#endif
template std::unique_ptr<shared<float>> make_shared_expert<float>(config const&, bool);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<shared<double>> make_shared_expert<double>(config const&, bool);
#endif

}  // namespace probe
