// SPDX-License-Identifier: Apache-2.0
// The first values of a bundle through a branch together, while the others wait: tokens and their weights go to the
// experts, and what the tokens' own rank has added up meanwhile stays.
#pragma once

#include <heddle/sequence/combinators.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `In` values through a branch that gives `Out`; those behind them move up or down.
template <std::size_t In, std::size_t Out, class Branch>
struct leading {
  static_assert(In > 0 && Out > 0,
                "[heddle.leading.values] a branch takes or gives no value. Fix: name how many values lead, one or "
                "more.");
  static_assert(detail::is_sequence<Branch>,
                "[heddle.leading.branch] a branch is not a sequence. Fix: write sequence<...>.");
  using conjugate = leading<Out, In, conjugate_t<Branch>>;
};

namespace detail {

template <std::size_t In, std::size_t Out, class Branch>
struct mentions<leading<In, Out, Branch>> : mentions<Branch> {};
template <std::size_t In, std::size_t Out, class Branch>
struct inputs_of<leading<In, Out, Branch>> {
  static constexpr int value = static_cast<int>(In) + 1;
};
template <std::size_t In, std::size_t Out, class Branch>
struct speaks<leading<In, Out, Branch>> : speaks<Branch> {};
template <std::size_t In, std::size_t Out, class Branch>
struct parameterised_in<leading<In, Out, Branch>> : parameterised_in<Branch> {};

template <class Universe, std::size_t In, std::size_t Out, class Branch>
struct trace<Universe, leading<In, Out, Branch>> {
  static constexpr void apply(flow& f) {
    auto const values = f.ports;
    auto const count = static_cast<std::size_t>(f.port_count);
    if (count < In || count - In + Out > static_cast<std::size_t>(max_ports)) return f.fail(flow_fault::ports);
    f.port_count = static_cast<int>(In);
    trace<Universe, Branch>::apply(f);
    if (f.port_count != static_cast<int>(Out)) return f.fail(flow_fault::ports);
    for (std::size_t p = In; p < count; ++p) f.ports[p - In + Out] = values[p];
    f.port_count = static_cast<int>(count - In + Out);
  }
};

template <std::size_t In, std::size_t Out, class Branch>
struct printer<leading<In, Out, Branch>> {
  static constexpr void print(text_sink& sink) {
    sink.put("leading<");
    sink.put(static_cast<char>('0' + In));
    sink.put(">(");
    printer<Branch>::print(sink);
    sink.put(')');
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
