// SPDX-License-Identifier: Apache-2.0
// A parallel plan: names to styles, matched at compile time for a model's code and at run time for a checkpoint's
// names.
#pragma once

#include <array>
#include <heddle/core/error.hpp>
#include <heddle/core/fixed_string.hpp>
#include <heddle/core/type_list.hpp>
#include <heddle/placement/placement.hpp>
#include <heddle/plan/match.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// `rule<"layers.*.mlp.down_proj", rowwise<tp>>`: a name, of a parameter or of the module that has it, and its style.
template <fixed_string Pattern, class Style>
struct rule {
  static constexpr auto pattern = Pattern;
  using style = Style;
};

/// Where a name was found. `count` is the number of rules that claim it at the same level: 0 is missing, 2 ambiguous.
struct plan_match {
  std::size_t index = 0;  ///< of the first such rule in the plan
  int count = 0;
  /// Whether exactly one rule claims the name.
  [[nodiscard]] constexpr bool found() const { return count == 1; }
};

/// What `verify` saw; a template, so that only its users pay for vectors.
template <class Name>
struct basic_plan_report {
  std::vector<Name> unmatched;  ///< parameters without a rule
  std::vector<Name> ambiguous;  ///< parameters that several rules claim
  std::vector<Name> unused;     ///< rules no parameter met
  /// Whether every parameter has one rule and every rule a parameter.
  [[nodiscard]] bool clean() const { return unmatched.empty() && ambiguous.empty() && unused.empty(); }
};
using plan_report = basic_plan_report<std::string>;

/// What a caller accepts; everything else is an error.
struct plan_allowance {
  bool unmatched = false;  ///< a parameter without a rule stays whole on every rank
  bool ambiguous = false;  ///< of several rules for a parameter the first one of the plan counts
  bool unused = false;     ///< a rule may meet no parameter
};

/// The style of a parameter without a rule, where that is allowed: whole on every rank.
struct unruled {
  static constexpr fixed_string name = "unruled";
  using weight = placement<>;
  using bias = placement<>;
};

/// The rules of a model; two with the same pattern do not compile. Everything is static: a plan is a type.
template <class... Rules>
struct plan {
  using rules = type_list<Rules...>;
  static constexpr std::size_t size = sizeof...(Rules);
  static constexpr std::array<std::string_view, size> patterns{Rules::pattern.view()...};
  static_assert(
      [] {
        for (std::size_t i = 0; i < size; ++i) {
          for (std::size_t j = 0; j < i; ++j) {
            if (patterns[i] == patterns[j]) return false;
          }
        }
        return true;
      }(),
      "[heddle.plan.duplicate] two rules have the same pattern. Fix: keep one of them.");

  /// The rule of a name: the rules that match it exactly, else those that match its module.
  [[nodiscard]] static constexpr plan_match find(std::string_view name) {
    plan_match const exact = search(name);
    return exact.count > 0 ? exact : search(parent_of(name));
  }

  /// Calls `function.template operator()<Style>()` for the style of `name`. Throws `error_kind::plan` where there is
  /// not exactly one rule.
  template <class Function>
  static decltype(auto) visit(std::string_view name, Function&& function) {
    plan_match const match = find(name);
    if (!match.found()) throw refuse(name, match);
    return at<0, Rules...>(match.index, function);
  }

  /// The same for a caller that allows more: `function` must take `unruled`, too.
  template <class Function>
  static decltype(auto) visit(std::string_view name, plan_allowance allowed, Function&& function) {
    plan_match const match = find(name);
    if (match.count == 0 && allowed.unmatched) return function.template operator()<unruled>();
    if (!match.found() && !(match.count > 1 && allowed.ambiguous)) throw refuse(name, match);
    return at<0, Rules...>(match.index, function);
  }

  /// Holds every rule against every name: a `plan_report`.
  [[nodiscard]] static auto verify(std::span<std::string const> names) { return verify_all(names); }

  /// `verify`, and an error of `error_kind::plan` that names what is wrong and not allowed.
  static void check(std::span<std::string const> names, plan_allowance allowed = {}) {
    auto const report = verify_all(names);
    if (!report.ambiguous.empty() && !allowed.ambiguous)
      throw error(error_kind::plan, "several rules claim " + list(report.ambiguous),
                  "make the patterns exclusive, or allow ambiguity, where the first rule counts");
    if (!report.unmatched.empty() && !allowed.unmatched) {
      throw error(error_kind::plan, "no rule for " + list(report.unmatched),
                  "add a rule, or allow unmatched parameters, which stay whole on every rank");
    }
    if (!report.unused.empty() && !allowed.unused) {
      throw error(error_kind::plan, "no parameter for the rules " + list(report.unused),
                  "correct the patterns, or allow unused rules");
    }
  }

 private:
  [[nodiscard]] static constexpr plan_match search(std::string_view name) {
    plan_match match;
    for (std::size_t i = 0; i < size && !name.empty(); ++i) {
      if (!matches(patterns[i], name)) continue;
      if (match.count++ == 0) match.index = i;
    }
    return match;
  }
  [[nodiscard]] static error refuse(std::string_view name, plan_match match) {
    return error(error_kind::plan, std::string{match.count == 0 ? "no rule for " : "several rules claim "}.append(name),
                 match.count == 0 ? "add a rule to the plan" : "make the patterns exclusive");
  }
  template <class Name>
  [[nodiscard]] static auto verify_all(std::span<Name const> names) {
    basic_plan_report<Name> report;
    std::array<bool, size + 1> used{};
    for (Name const& name : names) {
      plan_match const match = find(name);
      if (match.count == 0) report.unmatched.push_back(name);
      else if (match.count > 1) report.ambiguous.push_back(name);
      else used[match.index] = true;
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (!used[i]) report.unused.emplace_back(patterns[i]);
    }
    return report;
  }
  template <class Names>
  [[nodiscard]] static std::string list(Names const& names) {
    constexpr std::size_t most = 5;
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < most; ++i) text.append(i == 0 ? "" : ", ").append(names[i]);
    if (names.size() > most) text.append(" and ").append(std::to_string(names.size() - most)).append(" more");
    return text;
  }
  template <std::size_t Index, class First, class... Others, class Function>
  static decltype(auto) at(std::size_t index, Function&& function) {
    if constexpr (sizeof...(Others) == 0) {
      return function.template operator()<typename First::style>();
    } else {
      if (index == Index) return function.template operator()<typename First::style>();
      return at<Index + 1, Others...>(index, function);
    }
  }
};

namespace detail {

template <class Plan, fixed_string Name>
struct style_lookup {
  static constexpr plan_match match = Plan::find(Name.view());
  static_assert(match.count != 0,
                "[heddle.plan.missing] the plan has no rule for this name or for its module. Fix: add a rule.");
  static_assert(match.count < 2,
                "[heddle.plan.ambiguous] several rules of the plan claim this name. Fix: make the patterns exclusive.");
  template <class... Rules>
  static consteval auto pick(type_list<Rules...>) {
    return pick_at<match.index, Rules...>();
  }
  template <std::size_t Wanted, class First, class... Others>
  static consteval auto pick_at() {
    if constexpr (Wanted == 0 || sizeof...(Others) == 0) return First{};
    else return pick_at<Wanted - 1, Others...>();
  }
  using type = typename decltype(pick(typename Plan::rules{}))::style;
};

}  // namespace detail

/// The style of a name, at compile time: `style_of<plan, "layers.*.mlp.down_proj">`; a `*` in the name stands for
/// itself.
template <class Plan, fixed_string Name>
using style_of = typename detail::style_lookup<Plan, Name>::type;

}  // namespace heddle::inline HEDDLE_ABI
