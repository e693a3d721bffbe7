// SPDX-License-Identifier: Apache-2.0
// Which experts a token chooses: the k largest values, of all experts or of those in the best groups.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/kernel/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What a group of experts is worth: the sum of its two largest values (DeepSeek-V3, torchtitan), of its
/// max(1, k / groups kept) largest (Megatron), or its largest (DeepSeek-V2). `none`: experts have no groups.
enum class group_score { none, top2, topm, max };

/// Experts in `groups` groups of neighbours, of which a token may choose from the `kept` best. Groups that are the
/// nodes of a machine limit a token to `kept` nodes.
struct group_limit {
  index_t groups = 1;
  index_t kept = 1;
  friend constexpr bool operator==(group_limit const&, group_limit const&) = default;
};

/// The most groups: a row remembers the ones it keeps in as many bits.
inline constexpr index_t most_groups = 256;

/// Values that a group's score adds up.
template <group_score Score>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t values_summed(index_t k, group_limit limit) {
  if constexpr (Score == group_score::top2) return 2;
  else if constexpr (Score == group_score::topm) return k / limit.kept > 1 ? k / limit.kept : 1;
  else return 1;
}

/// Throws `error_kind::argument` where k is not between 1 and the number of experts or above `most_slots`.
inline void check_top_k(index_t k, index_t experts) {
  if (k < 1 || k > most_slots || k > experts) {
    throw error(error_kind::argument,
                "a token cannot choose " + std::to_string(k) + " of " + std::to_string(experts) + " experts",
                "use a k from 1 to the number of experts, at most " + std::to_string(most_slots));
  }
}

/// Throws `error_kind::argument` where the groups do not divide the experts, more are kept than there are, the kept
/// ones hold fewer than k experts, or a group fewer than its score sums.
template <group_score Score>
void check_groups(index_t k, index_t experts, group_limit limit) {
  auto const refuse = [](std::string what, std::string fix) {
    throw error(error_kind::argument, std::move(what), std::move(fix));
  };
  auto const number = [](index_t n) { return std::to_string(n); };
  if (limit == group_limit{}) return;
  if (Score == group_score::none) {
    refuse("groups is " + number(limit.groups) + ", and this router has no group score", "use 1, or a group score");
  }
  if (limit.groups < 1 || limit.groups > most_groups || experts % limit.groups != 0) {
    refuse("groups is " + number(limit.groups) + " for " + number(experts) + " experts",
           "use a divisor of the number of experts, at most " + number(most_groups));
  }
  if (limit.kept < 1 || limit.kept > limit.groups || limit.kept > most_slots) {
    refuse("groups_kept is " + number(limit.kept) + " of " + number(limit.groups) + " groups",
           "use 1 to " + number(limit.groups < most_slots ? limit.groups : most_slots));
  }
  index_t const size = experts / limit.groups;
  if (k > limit.kept * size) {
    refuse("top_k is " + number(k) + ", and " + number(limit.kept) + " groups of " + number(size) + " experts hold " +
               number(limit.kept * size),
           "keep at least " + number((k + size - 1) / size) + " groups, or choose at most " +
               number(limit.kept * size) + " experts");
  }
  if (limit.groups > 1 && values_summed<Score>(k, limit) > size) {
    refuse("the group score sums " + number(values_summed<Score>(k, limit)) + " values, and groups is " +
               number(limit.groups) + ": a group has " + number(size) + " expert" + (size == 1 ? "" : "s"),
           "use at most " + number(experts / values_summed<Score>(k, limit)) + " groups, or group_score max");
  }
}

/// The groups that one token may choose from.
class group_set {
 public:
  // A word is not asked for by a number that is only known at run time: so a GPU keeps them all in registers.
  HEDDLE_HOST_DEVICE constexpr void insert(index_t group) {
    for (index_t i = 0; i < words; ++i) word_[i] |= i == group / 64 ? std::uint64_t{1} << (group % 64) : 0;
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr bool holds(index_t group) const {
    std::uint64_t word = 0;
    for (index_t i = 0; i < words; ++i) word = i == group / 64 ? word_[i] : word;
    return (word >> (group % 64) & 1U) != 0;
  }

 private:
  static constexpr index_t words = most_groups / 64;
  std::uint64_t word_[words] = {};
};

/// The sum of the `most` largest of value(0 .. count), largest first. It keeps none of them: on a GPU a lane has no
/// memory for a list.
template <class Value>
[[nodiscard]] HEDDLE_HOST_DEVICE auto sum_of_largest(index_t count, Value value, index_t most) {
  decltype(value(index_t{})) sum{};
  decltype(sort_key(sum)) last_key{};
  index_t last = -1;
  for (index_t found = 0; found < most; ++found) {
    auto mine = last_key;
    index_t where = -1;
    for (index_t i = 0; i < count; ++i) {
      auto const key = sort_key(value(i));
      bool const taken = found > 0 && (key > last_key || (key == last_key && i <= last));
      if (!taken && (where < 0 || key > mine)) {
        mine = key;
        where = i;
      }
    }
    if (where < 0) break;
    sum += value(where);
    last_key = mine;
    last = where;
  }
  return sum;
}

/// The `limit.kept` groups of `size` experts with the largest scores, groups of equal score by number.
template <group_score Score, team Team, class Value>
[[nodiscard]] HEDDLE_HOST_DEVICE group_set best_groups(Team const& team, Value value, index_t k, index_t size,
                                                       group_limit limit) {
  auto const worth = [value, size, most = values_summed<Score>(k, limit)](index_t group) {
    decltype(value(index_t{})) sum{};
    auto const of_group = [value, first = group * size](index_t i) { return value(first + i); };
    if constexpr (std::is_same_v<Team, serial_team>) {
      top_k_of(serial_team{}, size, of_group, most, [&](index_t, index_t i) { sum += of_group(i); });
    } else {
      sum = sum_of_largest(size, of_group, most);
    }
    return sum;
  };
  group_set kept;
  top_k_of(team, limit.groups, worth, limit.kept, [&kept](index_t, index_t group) { kept.insert(group); });
  return kept;
}

/// The host computes the values of so many experts once and keeps them; a GPU has more lanes than room.
inline constexpr index_t most_values = 1024;

/// Calls chosen(slot, expert) for the k experts with the largest value(expert), in that order, as `top_k_of` does.
/// Where groups are limited, experts outside the kept ones count as -inf, never as 0, which would beat what is
/// negative.
template <group_score Score, team Team, class Value, class Chosen>
HEDDLE_HOST_DEVICE void select_row(Team const& team, index_t experts, Value value, index_t k, group_limit limit,
                                   Chosen chosen) {
  using real = decltype(value(index_t{}));
  if constexpr (Score != group_score::none) {
    constexpr real out = static_cast<real>(-__builtin_inf());
    index_t const size = experts / limit.groups;
    if (limit.kept < limit.groups) {
      if constexpr (std::is_same_v<Team, serial_team>) {
        if (experts <= most_values) {
          real values[most_values];
          fill_row(team, experts, values, value);
          auto const stored = [&values](index_t i) { return values[i]; };
          group_set const kept = best_groups<Score>(team, stored, k, size, limit);
          for (index_t group = 0; group < limit.groups; ++group) {
            if (!kept.holds(group)) fill_row(team, size, values + group * size, [](index_t) { return out; });
          }
          return top_k_of(team, experts, stored, k, chosen);
        }
      }
      group_set const kept = best_groups<Score>(team, value, k, size, limit);
      auto const masked = [=](index_t i) { return kept.holds(i / size) ? value(i) : out; };
      return top_k_of(team, experts, masked, k, chosen);
    }
  }
  top_k_of(team, experts, value, k, chosen);
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
