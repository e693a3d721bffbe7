// SPDX-License-Identifier: Apache-2.0
// Several values, each through its branch, and none is summed: what a fork has parted goes on side by side, and what
// begins first forward begins first backward.
#pragma once

#include <heddle/sequence/combinators.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

namespace heddle::inline HEDDLE_ABI {

/// As many values as branches, in the order of the branches forward and backward: one that ends in `beside` computes
/// while those behind it communicate.
template <class... Branches>
struct abreast {
  static_assert((detail::is_sequence<Branches> && ...),
                "[heddle.abreast.branch] a branch is not a sequence. Fix: write sequence<...>.");
  using conjugate = abreast<conjugate_t<Branches>...>;
};

namespace detail {

template <class... Branches>
struct mentions<abreast<Branches...>> : mentions<fork<Branches...>> {};
template <class... Branches>
struct inputs_of<abreast<Branches...>> : inputs_of<join<Branches...>> {};
template <class... Branches>
struct speaks<abreast<Branches...>> : speaks<sequence<Branches...>> {};
template <class... Branches>
struct parameterised_in<abreast<Branches...>> : parameterised_in<fork<Branches...>> {};

template <class Universe, class... Branches>
struct trace<Universe, abreast<Branches...>> {
  static constexpr void apply(flow& f) {
    if (f.port_count != branch_count<sizeof...(Branches)>::value) return f.fail(flow_fault::ports);
    if constexpr (branch_count<sizeof...(Branches)>::ok) {
      auto const values = f.ports;
      std::size_t branch = 0;
      std::array<flow_port, sizeof...(Branches)> const results{run_branch<Universe, Branches>(f, values[branch++])...};
      for (std::size_t b = 0; b < sizeof...(Branches); ++b) f.ports[b] = results[b];
      f.port_count = sizeof...(Branches);
    }
  }
};

template <class... Branches>
struct printer<abreast<Branches...>> {
  static constexpr void print(text_sink& sink) { put_branches<Branches...>(sink, "abreast"); }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
