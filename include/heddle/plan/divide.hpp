// SPDX-License-Identifier: Apache-2.0
// Counts that must divide by a group: heads and KV heads by tp. Known at compile time they are checked there, at run
// time the error says which sizes would fit.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/mesh/mesh.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A named count: `struct heads : counted<"attention heads", 32> {};`
template <fixed_string Name, long Value>
struct counted {
  static constexpr auto name = Name;
  static constexpr long value = Value;
};
/// The number of attention heads.
template <long Value>
struct heads : counted<"attention heads", Value> {};
/// The number of key-value heads.
template <long Value>
struct kv_heads : counted<"key-value heads", Value> {};
/// The number of groups that grouped routing divides the experts into.
template <long Value>
struct expert_groups : counted<"expert groups", Value> {};

/// Does not compile where `Count` is no multiple of `Size`, the size of `Group`.
template <class Count, class Group, int Size>
struct divides {
  static_assert(
      Count::value % Size == 0,
      "[heddle.plan.divide] this count does not divide by the size of this group. Fix: choose a size that divides it.");
  static constexpr bool ok = true;
};

/// `static_assert(plan_fits<grid, tp, heads<32>, kv_heads<8>>);` for a `constexpr` mesh `grid`.
template <auto const& Grid, class Group, class... Counts>
inline constexpr bool plan_fits = (divides<Counts, Group, Grid.template size<Group>()>::ok && ...);

/// Throws `error_kind::shape` where `count` does not divide by `size`; the hint lists the sizes up to `most` that do.
inline void check_divides(std::string_view what, long count, std::string_view group, int size, int most) {
  if (size > 0 && count % size == 0) return;
  std::string fitting;
  for (int s = 1; s <= most; ++s) {
    if (count % s == 0) fitting.append(fitting.empty() ? "" : ", ").append(std::to_string(s));
  }
  throw error(error_kind::shape,
              std::to_string(count) + " " + std::string{what} + " do not divide by " + std::string{group} + " = " +
                  std::to_string(size),
              "use " + std::string{group} + " = " + fitting);
}

}  // namespace heddle::inline HEDDLE_ABI
