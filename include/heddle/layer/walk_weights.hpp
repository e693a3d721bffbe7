// SPDX-License-Identifier: Apache-2.0
// The weight pass: every cotangent that the backward pass put by meets the values its parameter saw, the last parameter
// of a sequence first. It communicates with nobody, so it may run later, or on another lane; but for parameters that
// are shared out (layer/fsdp.hpp) that lane needs communicators of its own.
#pragma once

#include <heddle/layer/walk_back.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Adds an operation's parameter gradients by its overload of `accumulate(operation, frame, [kept,] dy...)`.
template <class Operation>
struct walk_weights {
  template <class Frame>
  static void through(Frame&, auto const&, nothing_kept) {}

  template <class Frame, class... Values>
  static void through(Frame& frame, nothing_kept, kept<Values...> const& dy) {
    std::apply([&](auto... value) { accumulate(Operation{}, frame, value...); }, dy.values);
  }
  template <class Frame, class... Kept, class... Values>
  static void through(Frame& frame, kept<Kept...> const& saved, kept<Values...> const& dy) {
    std::apply([&](auto... value) { accumulate(Operation{}, frame, saved, value...); }, dy.values);
  }
};

template <class... Parts>
struct walk_weights<sequence<Parts...>> {
  template <class Frame, class Saved, class Pending>
  static void through(Frame& frame, Saved const& saved, Pending const& pending) {
    first<sizeof...(Parts)>(frame, saved, pending);
  }

 private:
  template <std::size_t Count, class Frame, class Saved, class Pending>
  static void first(Frame& frame, Saved const& saved, Pending const& pending) {
    if constexpr (Count > 0) {
      using part = element_t<type_list<Parts...>, static_cast<int>(Count) - 1>;
      walk_weights<part>::through(frame, std::get<Count - 1>(saved), std::get<Count - 1>(pending));
      first<Count - 1>(frame, saved, pending);
    }
  }
};
template <class... Branches>
struct walk_weights<fork<Branches...>> : walk_weights<sequence<Branches...>> {};
template <class... Branches>
struct walk_weights<join<Branches...>> : walk_weights<sequence<Branches...>> {};
template <std::size_t Port, class Branch>
struct walk_weights<on_port<Port, Branch>> : walk_weights<Branch> {};
template <class Branch>
struct walk_weights<each<Branch>> {
  template <class Frame>
  static void through(Frame&, nothing_kept, nothing_kept) {}
};
template <class Branch>
struct walk_weights<recompute<Branch>> {
  template <class Frame, class Saved, class Pending>
  static void through(Frame& frame, Saved const&, Pending const& pending) {
    walk_weights<Branch>::through(frame, pending.saved, pending.pending);
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
