// SPDX-License-Identifier: Apache-2.0
// Parameters that a group shares out: all parts put together for use, and gradients of the whole summed into the parts.
#pragma once

#include <heddle/kernel/add.hpp>
#include <heddle/layer/share.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

// Parameter structs are known by their members: `weight`, perhaps `bias`, and the sizes of the whole.

template <class Struct>
concept has_projection = requires(Struct& of) {
  of.projection;
};
template <class Struct>
concept has_bias = requires(Struct& of) {
  of.bias;
};

/// visit(whether it can be absent, the tensors of one name...) for each tensor that all structs have.
template <class Visit, class... Structs>
void each_tensor(Visit const& visit, Structs&... of) {
  if constexpr ((has_projection<Structs> && ...)) {
    each_tensor(visit, of.projection...);
  } else {
    visit(false, of.weight...);
    if constexpr ((has_bias<Structs> && ...)) visit(true, of.bias...);
  }
}

/// How long an axis of a parameter is over all ranks.
template <class Axis, class Parameter>
[[nodiscard]] index_t whole_size(Parameter const& parameter) {
  if constexpr (requires { parameter.projection; }) return whole_size<Axis>(parameter.projection);
  else if constexpr (std::same_as<Axis, experts>) return parameter.full_experts;
  else if constexpr (std::same_as<Axis, vocab>) return parameter.full_vocab;
  else if constexpr (requires { parameter.full_out; }) return parameter.full_out;
  else return parameter.full_width;
}

/// Whether the ranks of a group have a tensor that may be absent. A rank whose part is empty cannot tell by itself;
/// that there is such a rank all of them know.
template <class Group, class Frame, class Rule>
[[nodiscard]] bool present(Frame& frame, share<Rule> const& by, bool here) {
  bool all_can_tell = true;
  for (int r = 0; r < by.ranks; ++r) all_can_tell &= by.part(r) > 0;
  if (all_can_tell) return here;
  auto const flags = frame.counts(static_cast<std::size_t>(by.ranks));
  index_t const own = here ? 1 : 0;
  frame.template numbers<Group>().all_gather(std::span<index_t const>{&own, 1}, flags);
  return sum_of(flags) > 0;
}

/// Where gathered parameters lie: for one use, or until the step ends.
template <bool Keeps, class Element, class Frame>
[[nodiscard]] Element* room_for(Frame& frame, index_t count) {
  auto& execution = frame.execution();
  if constexpr (!Keeps && requires { execution.template lend<Element>(count); }) {
    return execution.template lend<Element>(count);
  } else {
    return execution.template allocate<Element>(count);
  }
}
/// Begins a use; what is lent goes back at its end.
template <class Frame>
[[nodiscard]] auto lending(Frame& frame) {
  if constexpr (requires { frame.execution().lending(); }) return frame.execution().lending();
  else return nullptr;
}

/// All parts of a tensor.
template <bool Keeps, class Group, class Frame, class Rule, class Element, class Extents, class Memory>
[[nodiscard]] Element* gather_shares(Frame& frame, share<Rule> const& by, view<Element const, Extents, Memory> own) {
  index_t const count = by.outer * by.whole() * by.inner;
  Element* const all = room_for<Keeps, Element>(frame, count);
  Element* const parts = by.in_order() ? all : room_for<false, Element>(frame, count);
  frame.template communicator<Group>().all_gather(
      std::span<Element const>{own.data(), static_cast<std::size_t>(own.count())},
      std::span<Element>{parts, static_cast<std::size_t>(count)}, by.counts(frame));
  if (parts != all) {
    by.each_block(parts, all, [&](auto part, index_t from, auto to, index_t at, index_t width) {
      copy_columns<Element>(frame, part, from, to, at, width);
    });
  }
  return all;
}

/// Adds this rank's part of the sum of all ranks' gradients to what it has.
template <class Group, class Frame, class Rule, class Element, class Extents, class Memory>
void scatter_shares(Frame& frame, share<Rule> const& by, Element* all, view<Element, Extents, Memory> own) {
  index_t const count = by.outer * by.whole() * by.inner;
  Element* const parts = by.in_order() ? all : room_for<false, Element>(frame, count);
  if (parts != all) {
    by.each_block(parts, all, [&](auto part, index_t from, auto to, index_t at, index_t width) {
      copy_columns<Element>(frame, to, at, part, from, width);
    });
  }
  Element* const sum = room_for<false, Element>(frame, own.count());
  frame.template communicator<Group>().reduce_scatter(std::span<Element const>{parts, static_cast<std::size_t>(count)},
                                                      std::span<Element>{sum, static_cast<std::size_t>(own.count())},
                                                      by.counts(frame));
  if (own.count() == 0) return;
  index_t const height = Extents::rank == 1 ? 1 : own.shape()[0];
  extents<tokens, hidden> const shape{height, own.count() / height};
  rows<Element, Memory> const to{own.data(), shape};
  rows<Element const, Memory> const more{sum, shape};
  frame.launch(kernel::add<Element, Memory>{.a = to, .b = more, .y = to}, height);
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
