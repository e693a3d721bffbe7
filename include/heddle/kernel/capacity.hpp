// SPDX-License-Identifier: Apache-2.0
// Experts with room for a limited number of tokens: how many, and which ones stay.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/kernel/best.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Rows an expert has room for: ceil(((tokens k) / experts) factor), in double and in this order, at least `minimum`.
/// `tokens` are those that are no padding. It may exceed the number of tokens. Throws `argument` for a factor that is
/// not a positive number, or where it or the minimum gives a capacity beyond 2^31.
[[nodiscard]] inline index_t expert_capacity(index_t tokens, index_t k, index_t experts, double factor,
                                             index_t minimum = 0) {
  double const share =
      experts == 0 ? 0 : static_cast<double>(tokens) * static_cast<double>(k) / static_cast<double>(experts);
  double const wanted = __builtin_ceil(share * factor);
  if (!(factor > 0) || !(wanted < 0x1p31)) {
    throw error(error_kind::argument,
                "capacity_factor is " + std::to_string(factor) + " for " + std::to_string(tokens) +
                    " tokens: an expert would hold " + std::to_string(wanted) + " rows",
                "use a positive number; 1 is an even share");
  }
  if (minimum >= index_t{1} << 31) {
    throw error(error_kind::argument, "the least capacity of an expert is " + std::to_string(minimum) + " rows",
                "ask for fewer than 2147483648");
  }
  auto const capacity = static_cast<index_t>(wanted);
  return capacity < minimum ? minimum : capacity;
}

/// Which choices of an expert beyond its capacity are dropped: all but the largest weights, or all but the lowest
/// tokens. Ties go by token: both keep the same choices wherever and however often they are computed.
enum class drop_by { probability, position };

/// Drops what an expert has no room for: its entry in ids becomes -1 and in weights 0, the others stay as they are. It
/// is launched over experts. ids and weights [T, K] hold the choices and their final weights, and are changed in place;
/// row_to_token and row_to_slot [R] list the choices ordered by expert, then token; begins [E + 1] says where the rows
/// of each expert start; kept and dropped [E] receive its counts. The gradient of a weight that was dropped is zero:
/// see `weigh_grad`.
template <drop_by By, class Memory = host_memory, real Weight = float>
struct drop {
  per_row<std::int32_t const, Memory> row_to_token;
  per_row<std::int32_t const, Memory> row_to_slot;
  per_row<index_t const, Memory> begins;
  index_t capacity = 0;
  slot_view<std::int32_t, Memory> ids;
  slot_view<Weight, Memory> weights;
  per_row<index_t, Memory> kept;
  per_row<index_t, Memory> dropped;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t expert) const {
    index_t const first = begins(expert);
    index_t const count = begins(expert + 1) - first;
    index_t const room = count < capacity ? count : capacity;
    if (team.rank() == 0) {
      kept(expert) = room;
      dropped(expert) = count - room;
    }
    if (count <= capacity) return;
    if constexpr (By == drop_by::position) {
      for (index_t i = room + team.rank(); i < count; i += team.size()) forget(first + i);
    } else {
      auto const key = [this, first](index_t i) {
        index_t const row = first + i;
        return sort_key(static_cast<accumulator_t<Weight>>(weights(row_to_token(row), row_to_slot(row))));
      };
      auto const best = find_best(team, count, key, room);
      for (index_t i = team.rank(); i < count; i += team.size()) {
        if (!best.holds(key(i), i)) forget(first + i);
      }
    }
  }

 private:
  HEDDLE_HOST_DEVICE void forget(index_t row) const {
    ids(row_to_token(row), row_to_slot(row)) = -1;
    weights(row_to_token(row), row_to_slot(row)) = Weight{};
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
