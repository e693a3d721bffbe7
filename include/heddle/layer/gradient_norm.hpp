// SPDX-License-Identifier: Apache-2.0
// The norm of all gradients of a model, every element counted once however its parameter is cut, and clipping by it.
#pragma once

#include <heddle/kernel/math.hpp>
#include <heddle/kernel/power_sum.hpp>
#include <heddle/layer/fetch_report.hpp>
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
/// The same for every parameter of a style.
template <class Parameters>
struct cuts_of;
template <class... Parameters>
struct cuts_of<type_list<Parameters...>> {
  using type = type_list<typename cutting_groups<Parameters>::type...>;
};
template <class Style>
using cuts_of_t = typename cuts_of<typename parameters_of<typename Style::forward>::type>::type;

/// Work on numbers of the host, which is none in a step without data.
template <class Execution, class Work>
void at_once(Execution& execution, Work const& work) {
  if constexpr (of_host<typename Execution::memory>) execution.launch(work, 1);
  else work(serial_team{}, 0);
}

/// Numbers of all ranks of a group, met in the order of the ranks.
template <class Norm, class Group, std::size_t Size, class Execution>
std::array<double, Size> over_group(Execution& execution, std::array<double, Size> const& own) {
  auto& group = numbers_of<Group>(execution);
  if (group.size() == 1) return own;
  auto const parts = static_cast<std::size_t>(group.size());
  std::span<double> const all{allocate_here<double>(execution, static_cast<index_t>(parts * Size)), parts * Size};
  group.all_gather(std::span<double const>{own}, all);
  std::array<double, Size> total = {};
  auto const meet = [&](auto const&, index_t) {
    for (std::size_t i = 0; i < Size; ++i) {
      total[i] = all[i];
      for (std::size_t r = 1; r < parts; ++r) total[i] = Norm::meet(total[i], all[r * Size + i]);
    }
  };
  at_once(execution, meet);
  return total;
}

}  // namespace detail

/// Collects gradients that `reduce_gradients` has finished: p = 1, 2 or infinity, 0 where nothing was added. `Groups`
/// are all groups that cut some parameter, over any of its axes: tp, ep, etp, and those that `fsdp` shards over. The
/// ranks speak to each other once, at the end.
template <class Norm, class... Groups>
class gradient_norm {
  static_assert(sizeof...(Groups) <= 8,
                "[heddle.norm.groups] a norm over more than eight groups. Fix: name only those that cut parameters.");

 public:
  /// Adds the gradients of one style or layer; those that several parameters share count once.
  template <parallel_style Style, class Execution, class Gradients>
  void add(Execution& execution, Gradients const& gradients) {
    using cuts = detail::cuts_of_t<Style>;
    detail::each_distinct_gradient<Style, cuts>(
        gradients, [&]<std::size_t Index>(auto, auto gradient, std::integral_constant<std::size_t, Index>) {
          constexpr std::size_t set = set_of(detail::element_t<cuts, static_cast<int>(Index)>{});
          totals_[set] = Norm::meet(totals_[set], own_part(execution, gradient));
        });
  }
  /// The norm over all ranks of `Groups` and of `Stages`, groups where each rank has other parameters (pp): the same
  /// bits on every rank. All of them call it.
  template <class... Stages, class Execution>
  [[nodiscard]] double over(Execution& execution) const {
    auto totals = totals_;
    std::size_t bit = 1;
    ((meet_over<Groups>(execution, totals, bit), bit *= 2), ...);
    std::array<double, 1> total{totals[0]};
    ((total = detail::over_group<Norm, Stages>(execution, total)), ...);
    return Norm::root(total[0]);
  }

 private:
  // Parameters that the same groups cut are one total: its index has a bit for each of those groups.
  static constexpr std::size_t sets = std::size_t{1} << sizeof...(Groups);

  template <class... Cutting>
  static constexpr std::size_t set_of(type_list<Cutting...>) {
    static_assert((contains_v<Cutting, type_list<Groups...>> && ...),
                  "[heddle.norm.missing] a parameter is cut over a group that the norm does not name, so parts of it "
                  "would not count. Fix: add the group to gradient_norm.");
    return (std::size_t{0} | ... | (std::size_t{1} << index_of_v<Cutting, type_list<Groups...>>));
  }
  // The totals of sets that have the group: met over its ranks, they join the same set without it.
  template <class Group, class Execution>
  static void meet_over(Execution& execution, std::array<double, sets>& totals, std::size_t bit) {
    auto const all = detail::over_group<Norm, Group>(execution, totals);
    for (std::size_t set = 0; set < sets; ++set) {
      if ((set & bit) != 0) totals[set ^ bit] = Norm::meet(totals[set ^ bit], all[set]);
    }
  }

  template <class Execution, class Element, class Extents, class Memory>
  static double own_part(Execution& execution, view<Element, Extents, Memory> gradient) {
    using kernel_type = kernel::power_sum<Norm, Element, Memory>;
    index_t const blocks = kernel_type::blocks(gradient.count());
    per_row<double, Memory> const parts{execution.template allocate<double>(blocks), extents<tokens>{blocks}};
    execution.launch(kernel_type{.x = gradient.data(), .count = gradient.count(), .y = parts}, blocks);
    double total = 0;
    auto const meet = [&](auto const&, index_t) {
      for (double const part : detail::list_here(execution, parts)) total = Norm::meet(total, part);
    };
    detail::at_once(execution, meet);
    return total;
  }

  std::array<double, sets> totals_{};
};

/// Scales the gradients of `Style` by max_norm / norm where the norm is above it, and returns the factor (1e-6 keeps
/// the quotient finite, as in torch.nn.utils.clip_grad_norm_). As there, a norm that is NaN makes every gradient NaN,
/// and an infinite one makes finite gradients 0: look at the norm first where such a step shall be left out.
template <parallel_style Style, class Execution, class Gradients>
double clip_gradients(Execution& execution, Gradients const& gradients, double max_norm, double norm) {
  double const factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return 1;
  detail::each_distinct_gradient<Style, detail::cuts_of_t<Style>>(
      gradients, [&](auto, auto gradient, auto) { detail::scale_by(execution, gradient, factor); });
  return factor;
}

}  // namespace heddle::inline HEDDLE_ABI
