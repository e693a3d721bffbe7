// SPDX-License-Identifier: Apache-2.0
// From any distribution of a parameter to any other: the intersection of index boxes, as a list of copies. A plan is a
// pure function of who holds what, so every rank computes the same one and nobody has to be told.
#pragma once

#include <algorithm>
#include <heddle/checkpoint/region.hpp>
#include <heddle/checkpoint/stored_tensor.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// `rank` (of a group, or the number of a file) has, or is to get, what `where` describes; `tensor` is the number of
/// this tensor in the rank's own list.
struct holding {
  int rank = 0;
  std::size_t tensor = 0;
  stored_tensor const* where = nullptr;
};

/// Elements of tensor `from_tensor` of `from_rank` become elements of tensor `to_tensor` of `to_rank`.
struct copy_step {
  int from_rank = 0;
  int to_rank = 0;
  std::size_t from_tensor = 0;
  std::size_t to_tensor = 0;
  region move;
};

namespace detail {

using plain_box = std::vector<range>;

/// What two boxes have in common; false where that is nothing.
[[nodiscard]] inline bool common(plain_box const& a, std::vector<lane> const& b, plain_box& result) {
  result.resize(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    index_t const begin = std::max(a[i].begin, b[i].items.begin);
    index_t const end = std::min(a[i].end(), b[i].items.end());
    if (begin >= end) return false;
    result[i] = {begin, end - begin};
  }
  return true;
}

/// Appends `a` without `hole`, which lies inside it, as boxes that do not meet.
inline void subtract(plain_box a, plain_box const& hole, std::vector<plain_box>& rest) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (range const side :
         {range{a[i].begin, hole[i].begin - a[i].begin}, range{hole[i].end(), a[i].end() - hole[i].end()}}) {
      if (side.size == 0) continue;
      rest.push_back(a);
      rest.back()[i] = side;
    }
    a[i] = hole[i];
  }
}

/// The steps from one element to the next along each axis of a dense tensor.
[[nodiscard]] inline shape_t strides_of(shape_t const& shape) {
  shape_t strides(shape.size(), 1);
  for (std::size_t a = shape.size(); a-- > 1;) strides[a - 1] = strides[a] * shape[a];
  return strides;
}

/// The place of a box inside a piece of a tensor: the offset of its first element, and the step along each axis.
struct place {
  index_t offset = 0;
  shape_t steps;
  place(stored_tensor const& tensor, piece const& within, plain_box const& what) {
    shape_t const strides = strides_of(tensor.shape);
    for (std::size_t s = 0; s < strides.size(); ++s) offset += within.at[s] * strides[s];
    for (std::size_t a = 0; a < what.size(); ++a) {
      lane const& along = within.lanes[a];
      steps.push_back(strides.empty() ? 0 : along.step * strides[along.on]);
      offset += (what[a].begin - along.items.begin) * steps.back();
    }
  }
};

[[nodiscard]] inline region region_of(plain_box const& what, place const& from, place const& to) {
  region result{from.offset, to.offset, {}};
  for (std::size_t a = 0; a < what.size(); ++a) result.axes.push_back({what[a].size, from.steps[a], to.steps[a]});
  result.simplify();
  return result;
}

/// Appends the copies that fill one piece of `to`, from the first of `sources` that has each element.
inline void fill(holding const& to, piece const& wanted, std::vector<holding const*> const& sources,
                 std::vector<copy_step>& plan) {
  std::vector<plain_box> missing(1), rest;
  for (lane const& along : wanted.lanes) missing[0].push_back(along.items);
  plain_box meet;
  for (holding const* const from : sources) {
    for (piece const& has : from->where->pieces) {
      if (has.lanes.size() != wanted.lanes.size()) {
        throw error(error_kind::shape,
                    "tensor '" + from->where->name + "' holds a parameter of " + std::to_string(has.lanes.size()) +
                        " axes, tensor '" + to.where->name + "' one of " + std::to_string(wanted.lanes.size()),
                    "describe both sides by layouts of one parameter");
      }
      rest.clear();
      for (plain_box& each : missing) {
        if (!common(each, has.lanes, meet)) {
          rest.push_back(std::move(each));
          continue;
        }
        plan.push_back({from->rank, to.rank, from->tensor, to.tensor,
                        region_of(meet, place{*from->where, has, meet}, place{*to.where, wanted, meet})});
        subtract(std::move(each), meet, rest);
      }
      missing.swap(rest);
      if (missing.empty()) return;
    }
  }
  box hole;
  for (range const axis : missing[0]) hole.axes.push_back({axis});
  throw error(error_kind::shape,
              "nobody holds the part " + text_of(hole) + " that tensor '" + to.where->name + "' of rank " +
                  std::to_string(to.rank) + " needs",
              "name a source for every part of the parameter");
}

}  // namespace detail

/// The copies that give every rank what `to` says from what `from` says, in the order of `to`. Both sides describe one
/// parameter. Where several ranks hold an element it comes from the receiver itself, else from the first holder behind
/// it in cyclic rank order, which spreads the work over replicas. Throws `shape` where nobody holds a part.
[[nodiscard]] inline std::vector<copy_step> reshard(std::span<holding const> from, std::span<holding const> to) {
  std::vector<copy_step> plan;
  std::vector<holding const*> sources;
  for (holding const& each : from) sources.push_back(&each);
  for (holding const& each : to) {
    // False for ranks at or behind the receiver, which come first.
    std::stable_sort(sources.begin(), sources.end(), [&](holding const* a, holding const* b) {
      return std::pair{a->rank < each.rank, a->rank} < std::pair{b->rank < each.rank, b->rank};
    });
    for (piece const& wanted : each.where->pieces) {
      bool const empty = std::any_of(wanted.lanes.begin(), wanted.lanes.end(),
                                     [](lane const& along) { return along.items.size == 0; });
      if (!empty) detail::fill(each, wanted, sources, plan);
    }
  }
  return plan;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
