// SPDX-License-Identifier: Apache-2.0
// The norm of all gradients of a model, every element counted once however its parameter is cut, and clipping by it.
#pragma once

#include <heddle/kernel/math.hpp>
#include <heddle/kernel/power_sum.hpp>
#include <heddle/layer/reduce_gradients.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Which norm: its power sums, and how the total becomes the norm.
struct norm_1 : kernel::power_1 {
  [[nodiscard]] static double root(double total) { return total; }
};
struct norm_2 : kernel::power_2 {
  [[nodiscard]] static double root(double total) { return kernel::square_root(total); }
};
struct norm_inf : kernel::power_inf {
  [[nodiscard]] static double root(double total) { return total; }
};

namespace detail {

/// The groups over which a parameter is cut: each rank has other elements.
template <class Entry>
struct cutting_group {
  using type = type_list<>;
};
template <class Group, class Axis, class Partition>
struct cutting_group<on<Group, sharded<Axis, Partition>>> {
  using type = type_list<Group>;
};
template <class Placement>
struct cutting_groups;
template <class... Entries>
struct cutting_groups<placement<Entries...>> {
  using type = concat_t<type_list<>, typename cutting_group<Entries>::type...>;
};

/// Totals of all ranks of a group, met in the order of the ranks.
template <class Norm, class Group, class Execution>
double over_group(Execution& execution, double own) {
  auto& group = execution.template communicator<Group>();
  if (group.size() == 1) return own;
  auto const parts = static_cast<std::size_t>(group.size());
  std::span<double> const all{execution.template allocate<double>(group.size()), parts};
  group.all_gather(std::span<double const>{&own, 1}, all);
  double total = all[0];
  for (std::size_t r = 1; r < parts; ++r) total = Norm::meet(total, all[r]);
  return total;
}

}  // namespace detail

/// Collects gradients that `reduce_gradients` has finished, style by style: `add` is called by all ranks of the groups
/// that cut the parameters. `value()` is the p-norm for p = 1, 2 or infinity, 0 where nothing was added; the same on
/// every rank of the model.
template <class Norm = norm_2>
class gradient_norm {
 public:
  /// Adds the gradients of one style or layer.
  template <parallel_style Style, class Execution, class Gradients>
  void add(Execution& execution, Gradients const& gradients) {
    detail::each_gradient<Style>(gradients, [&]<class Operation>(Operation, auto gradient, auto) {
      double total = own_part(execution, gradient);
      using groups = typename detail::cutting_groups<typename Operation::parameter>::type;
      [&]<class... Groups>(type_list<Groups...>) {
        ((total = detail::over_group<Norm, Groups>(execution, total)), ...);
      }(groups{});
      total_ = Norm::meet(total_, total);
    });
  }
  /// Meets what the ranks of `Group` have added, where each has other parameters: the stages of a pipeline.
  template <class Group, class Execution>
  void over(Execution& execution) {
    total_ = detail::over_group<Norm, Group>(execution, total_);
  }
  /// The norm of what was added.
  [[nodiscard]] double value() const { return Norm::root(total_); }

 private:
  template <class Execution, class Element, class Extents, class Memory>
  static double own_part(Execution& execution, view<Element, Extents, Memory> gradient) {
    using kernel_type = kernel::power_sum<Norm, Element, Memory>;
    index_t const blocks = kernel_type::blocks(gradient.count());
    if (blocks == 0 || gradient.data() == nullptr) return 0;
    per_row<double, Memory> const parts{execution.template allocate<double>(blocks), extents<tokens>{blocks}};
    execution.launch(kernel_type{.x = gradient.data(), .count = gradient.count(), .y = parts}, blocks);
    double total = 0;
    for (index_t b = 0; b < blocks; ++b) total = Norm::meet(total, parts(b));
    return total;
  }

  double total_ = 0;
};

/// Scales the gradients of `Style` by max_norm / norm where the norm is above it (1e-6 keeps the quotient finite, as
/// in torch.nn.utils.clip_grad_norm_).
template <parallel_style Style, class Execution, class Gradients>
void clip_gradients(Execution& execution, Gradients const& gradients, double max_norm, double norm) {
  double const factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return;
  detail::each_gradient<Style>(gradients, [&](auto, auto gradient, auto) {
    if (gradient.data() != nullptr) detail::scale_by(execution, gradient, factor);
  });
}

}  // namespace heddle::inline HEDDLE_ABI
