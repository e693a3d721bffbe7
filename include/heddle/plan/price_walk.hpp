// SPDX-License-Identifier: Apache-2.0
// How a sequence is priced: its operations in order, each by its overload of `price`, as the interpreters run them.
#pragma once

#include <heddle/plan/price_collective.hpp>
#include <heddle/plan/price_compute.hpp>
#include <heddle/plan/price_dispatch.hpp>
#include <heddle/plan/price_router.hpp>
#include <heddle/plan/price_rows.hpp>
#include <heddle/plan/price_shares.hpp>
#include <heddle/plan/price_stores.hpp>
#include <heddle/sequence/abreast.hpp>
#include <heddle/sequence/leading.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

struct priced_bundle {
  std::array<priced_value, max_ports> values{};
  std::size_t count = 1;
};

template <class Operation, class P>
concept has_price = requires(P& p, priced_value x) {
  { price(Operation{}, p, x) } -> std::same_as<priced_value>;
};
template <class Operation, class P>
constexpr priced_value price_of(P& p, priced_value x) {
  static_assert(has_price<Operation, P>,
                "[heddle.cost.price] an operation has no price. Fix: write `constexpr detail::priced_value "
                "price(my_operation, auto& pricing, detail::priced_value x)` beside it, and one for its conjugate.");
  if constexpr (has_price<Operation, P>) return price(Operation{}, p, x);
  else return x;
}

/// How each part of a sequence is priced, forward. `entries` is what a pass that will be priced back notes down.
template <class Operation>
struct pricer {
  static constexpr std::size_t entries = 1;
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    if constexpr (P::tapes) p.note(bundle);
    // Several values into one keep the first: rows absorb their weights. One into two is a slice of the hidden axis.
    priced_value const x = bundle.values[0];
    std::size_t const had = bundle.count;
    bundle.values[0] = price_of<Operation>(p, x);
    bundle.count = static_cast<std::size_t>(as_ports_t<typename Operation::to>::count);
    for (std::size_t i = had; i < bundle.count; ++i) bundle.values[i] = bundle.values[0];
    if constexpr (parameterised<Operation>) p.template meet<Operation>(x, bundle.values[0]);
  }
};
/// Whether the next operation takes a product apart into gate and up.
template <class... Next>
inline constexpr bool parts_halves = false;
template <class A, class F, class T, class L, class... Rest>
inline constexpr bool parts_halves<glu<A, F, T, L>, Rest...> = true;
template <class At, class W, class R, class... Rest>
inline constexpr bool parts_halves<add_bias<At, W, R>, Rest...> = parts_halves<Rest...>;

template <class... Operations>
struct pricer<sequence<Operations...>> {
  static constexpr std::size_t entries = (std::size_t{0} + ... + pricer<Operations>::entries);
  template <class P>
  static constexpr void through([[maybe_unused]] P& p, [[maybe_unused]] priced_bundle& bundle) {
    if constexpr (sizeof...(Operations) > 0) rest<Operations...>(p, bundle);
  }

 private:
  template <class First, class... Others, class P>
  static constexpr void rest(P& p, priced_bundle& bundle) {
    p.halves = parts_halves<Others...>;
    pricer<First>::through(p, bundle);
    if constexpr (sizeof...(Others) > 0) rest<Others...>(p, bundle);
  }
};
template <class Branch, class P>
constexpr priced_value price_branch(P& p, priced_value value) {
  priced_bundle one{{value}};
  pricer<Branch>::through(p, one);
  return one.values[0];
}
template <class... Branches>
struct pricer<fork<Branches...>> {
  static constexpr std::size_t entries = (std::size_t{0} + ... + pricer<Branches>::entries);
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    priced_value const value = bundle.values[0];
    bundle.count = 0;
    ((bundle.values[bundle.count] = price_branch<Branches>(p, value), ++bundle.count), ...);
  }
};
template <class... Branches>
struct pricer<join<Branches...>> {
  static constexpr std::size_t entries = (std::size_t{0} + ... + pricer<Branches>::entries);
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    std::size_t i = 0;
    ((bundle.values[i] = price_branch<Branches>(p, bundle.values[i]), ++i), ...);
    bundle.count = 1;
    for (std::size_t sums = 1; sums < sizeof...(Branches); ++sums) p.keep(bundle.values[0]);
  }
};
template <class... Branches>
struct pricer<abreast<Branches...>> {
  static constexpr std::size_t entries = (std::size_t{0} + ... + pricer<Branches>::entries);
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    std::size_t i = 0;
    ((bundle.values[i] = price_branch<Branches>(p, bundle.values[i]), ++i), ...);
  }
};
template <std::size_t Port, class Branch>
struct pricer<on_port<Port, Branch>> {
  static constexpr std::size_t entries = pricer<Branch>::entries;
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    bundle.values[Port] = price_branch<Branch>(p, bundle.values[Port]);
  }
};
template <std::size_t In, std::size_t Out, class Branch>
struct pricer<leading<In, Out, Branch>> {
  static constexpr std::size_t entries = pricer<Branch>::entries;
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    pass(bundle, In, Out, [&](priced_bundle& led) { pricer<Branch>::through(p, led); });
  }
  /// `in` values lead and become `out`; those behind them move up or down.
  template <class Body>
  static constexpr void pass(priced_bundle& bundle, std::size_t in, std::size_t out, Body const& body) {
    priced_bundle led = bundle;
    led.count = in;
    body(led);
    for (std::size_t i = in; i < bundle.count; ++i) led.values[i - in + out] = bundle.values[i];
    led.count = bundle.count - in + out;
    bundle = led;
  }
};
/// A branch costs the same on a second lane.
template <class Branch>
struct pricer<beside<Branch>> : pricer<Branch> {};
/// And forward the same where it will be computed twice.
template <class Branch>
struct pricer<recompute<Branch>> {
  static constexpr std::size_t entries = 1 + pricer<Branch>::entries;
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    if constexpr (P::tapes) p.note(bundle);
    pricer<Branch>::through(p, bundle);
  }
};
template <class... Operations>
struct pricer<each<sequence<Operations...>>> {
  static constexpr std::size_t entries = sizeof...(Operations);
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    (over<Operations>(p, bundle), ...);
  }
  template <class Operation, class P>
  static constexpr void over(P& p, priced_bundle& bundle) {
    if constexpr (P::tapes) p.note(bundle);
    for (std::size_t i = 0; i < bundle.values.size() && i < bundle.count; ++i)
      bundle.values[i] = price_of<Operation>(p, bundle.values[i]);
  }
};
/// Parameters come together for all that happens in the branch.
template <class Group, class When, class Shards, class Branch>
struct pricer<gathered<Group, When, Shards, Branch>> {
  static constexpr std::size_t entries = pricer<Branch>::entries;
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle) {
    std::size_t const step = p.report.count;
    p.template send_as<Group>("all_gather parameters", 0, false);
    pricing_of_shares<P, Group, Shards, Branch> inner{p};
    pricer<Branch>::through(inner, bundle);
    p = inner;
    p.report.steps[step].bytes_sent = inner.gathered;
    if (When::keeps) p.report.activation_bytes += inner.whole;
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
