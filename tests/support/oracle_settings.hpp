// SPDX-License-Identifier: Apache-2.0
// What the oracle of a mixture-of-experts layer is told: the same words as the configuration of examples/moe_layer.
#pragma once

#include "measured.hpp"
#include "tensors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace oracle {

using heddle::index_t;
using support::tensor;
using numbers = std::vector<double>;
using indices_t = std::vector<index_t>;

enum class score_kind { softmax, sigmoid, sqrtsoftplus };
enum class group_kind { top2, topm, max };
enum class activation_kind { swiglu, geglu, quick_geglu, gpt_oss, squared_relu, relu, gelu };
enum class loss_kind { megatron, sequence, huggingface };

inline bool gated(activation_kind kind) { return kind <= activation_kind::gpt_oss; }

struct settings {
  index_t top_k = 1;
  score_kind score = score_kind::softmax;
  bool post = false;  ///< score_order: select by logit, softmax over the selected
  bool normalize = false;
  double scale = 1;
  index_t groups = 1, groups_kept = 1;
  group_kind group_score = group_kind::top2;
  activation_kind activation = activation_kind::swiglu;
  bool interleaved = false;  ///< glu_layout: gate in the even rows
  std::optional<double> capacity_factor{};
  bool by_position = false;      ///< drop
  bool pad_to_capacity = false;  ///< makes no difference to any result
  std::optional<double> aux_loss_coeff{}, z_loss_coeff{}, bias_update_rate{};
  loss_kind aux_loss = loss_kind::megatron;
  index_t sequence_length = 0;
  bool zero_mean = false;        ///< bias_update of torchtitan
  bool weight_at_input = false;  ///< elsewhere the place of the weight makes no difference to the result
  index_t identity = 0;          ///< so many experts, the last ones, have no weights and return their input
};

/// Tensors by the names of the probe's input file; `padding` is empty where every token counts.
struct layer {
  std::map<std::string, tensor> tensors;
  std::vector<bool> padding{};
  settings is{};

  [[nodiscard]] tensor const& at(std::string const& name) const { return tensors.at(name); }
  [[nodiscard]] tensor const* find(std::string const& name) const {
    auto const found = tensors.find(name);
    return found == tensors.end() ? nullptr : &found->second;
  }
  [[nodiscard]] index_t tokens() const { return at("hidden")[0]; }
  [[nodiscard]] index_t hidden() const { return at("hidden")[1]; }
  [[nodiscard]] index_t experts() const { return at("router.weight")[0]; }
  [[nodiscard]] bool valid(index_t token) const { return padding.empty() || !padding[static_cast<std::size_t>(token)]; }
  [[nodiscard]] index_t valid_tokens(index_t begin, index_t end) const {
    index_t count = 0;
    for (index_t t = begin; t < end; ++t) count += valid(t) ? 1 : 0;
    return count;
  }
};

/// A tensor of numbers that may be measured.
template <class Real>
struct array {
  heddle::shape_t shape;
  std::vector<Real> data;

  explicit array(heddle::shape_t of = {0})
      : shape{std::move(of)}, data(static_cast<std::size_t>(support::count_of(shape))) {}
  [[nodiscard]] index_t operator[](std::size_t axis) const { return shape[axis]; }
  [[nodiscard]] tensor values() const {
    tensor result{shape, {}};
    for (Real const& each : data) result.data.push_back(value_of(each));
    return result;
  }
  /// The largest size of its numbers, as far as they are numbers.
  [[nodiscard]] double size() const {
    double largest = 0;
    for (Real const& each : data) {
      if (std::isfinite(size_of(each))) largest = std::max(largest, size_of(each));
    }
    return largest;
  }
};

inline tensor zeros(heddle::shape_t const& shape) {
  return {shape, numbers(static_cast<std::size_t>(support::count_of(shape)))};
}
/// Row i of a tensor seen as [first axis, the rest].
template <class Tensor>
auto* row(Tensor& x, index_t i) {
  return x.data.data() + i * (x[0] == 0 ? 0 : static_cast<index_t>(x.data.size()) / x[0]);
}

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

template <class Real>
numbers values_of(std::vector<Real> const& from) {
  numbers values;
  for (Real const& each : from) values.push_back(value_of(each));
  return values;
}

/// The places of `values` by falling value; equal ones by place, NaN last.
inline indices_t ranked(numbers const& values) {
  indices_t order;
  for (index_t i = 0; i < static_cast<index_t>(values.size()); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) {
    if (std::isnan(values[at(a)])) return false;
    return std::isnan(values[at(b)]) || values[at(a)] > values[at(b)];
  });
  return order;
}

/// The smallest gap that decides something. Rounding must be smaller than it for two implementations to agree.
class margin_of {
 public:
  /// Places `first` to `last` of a ranking are told from the next ones.
  void compare(numbers const& values, indices_t const& order, index_t first, index_t last) {
    for (index_t i = first; i <= last && i + 1 < static_cast<index_t>(order.size()); ++i) {
      if (i >= 0) note(values[at(order[at(i)])] - values[at(order[at(i + 1)])]);
    }
  }
  void note(double gap) {
    if (gap < smallest_) smallest_ = gap;
    if (gap != 0 && gap < untied_) untied_ = gap;
  }
  [[nodiscard]] double value() const { return smallest_; }
  /// The same, where equal values are meant to be equal.
  [[nodiscard]] double untied() const { return untied_; }

 private:
  double smallest_ = std::numeric_limits<double>::infinity();
  double untied_ = std::numeric_limits<double>::infinity();
};

}  // namespace oracle
