// SPDX-License-Identifier: Apache-2.0
// What the backward pass of a step costs one rank, the weight pass with it: the forward pass is priced first and notes
// what every operation takes; its conjugate gives back the same.
#pragma once

#include <heddle/plan/cost.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Forward, operations note what they take; backward they find it again.
template <class Grid, std::size_t Entries>
struct taped_pricing : pricing<Grid> {
  std::array<priced_bundle, Entries> tape{};
  std::size_t noted = 0;
  bool notes = true;
  static constexpr bool tapes = true;
  constexpr void note(priced_bundle const& bundle) {
    if (notes) tape[noted++] = bundle;
  }
};

/// The gradient of a value has its shape; that of routing weights travels without ids.
template <class P>
constexpr priced_value gradient_like(P const& p, priced_value value) {
  if (value.gates) value.element_size = sum_size(p.shape.element_size);
  return value;
}
template <class P>
constexpr void restore(P const& p, priced_bundle& bundle, priced_bundle const& taken) {
  bundle = taken;
  for (std::size_t i = 0; i < bundle.count; ++i) bundle.values[i] = gradient_like(p, bundle.values[i]);
}

/// How each part of a sequence is priced backward; `at` is the first of its entries on the tape.
template <class Operation>
struct back_pricer {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    priced_bundle const& taken = p.tape[at];
    p.before = gradient_like(p, taken.values[0]);
    if constexpr (parameterised<Operation>) p.template meet<Operation>(taken.values[0], bundle.values[0]);
    static_cast<void>(price_of<typename Operation::conjugate>(p, bundle.values[0]));
    restore(p, bundle, taken);
  }
};
template <class... Operations>
struct back_pricer<sequence<Operations...>> {
  template <class P>
  static constexpr void through([[maybe_unused]] P& p, [[maybe_unused]] priced_bundle& bundle, std::size_t at) {
    if constexpr (sizeof...(Operations) > 0) rest<Operations...>(p, bundle, at);
  }

 private:
  template <class First, class... Others, class P>
  static constexpr void rest(P& p, priced_bundle& bundle, std::size_t at) {
    if constexpr (sizeof...(Others) > 0) rest<Others...>(p, bundle, at + pricer<First>::entries);
    back_pricer<First>::through(p, bundle, at);
  }
};
template <class Branch, class P>
constexpr void price_branch_back(P& p, priced_value& value, std::size_t& at) {
  priced_bundle one{{value}};
  back_pricer<Branch>::through(p, one, at);
  at += pricer<Branch>::entries;
  value = one.values[0];
}
/// The gradients of all branches are summed.
template <class... Branches>
struct back_pricer<fork<Branches...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    std::size_t i = 0;
    (price_branch_back<Branches>(p, bundle.values[i++], at), ...);
    bundle.count = 1;
    for (std::size_t sums = 1; sums < sizeof...(Branches); ++sums) p.keep(bundle.values[0]);
  }
};
template <class... Branches>
struct back_pricer<join<Branches...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    priced_value const dy = bundle.values[0];
    bundle.count = 0;
    ((bundle.values[bundle.count] = dy, price_branch_back<Branches>(p, bundle.values[bundle.count], at),
      ++bundle.count),
     ...);
  }
};
template <class... Branches>
struct back_pricer<abreast<Branches...>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    std::size_t i = 0;
    (price_branch_back<Branches>(p, bundle.values[i++], at), ...);
  }
};
template <std::size_t Port, class Branch>
struct back_pricer<on_port<Port, Branch>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    price_branch_back<Branch>(p, bundle.values[Port], at);
  }
};
template <std::size_t In, std::size_t Out, class Branch>
struct back_pricer<leading<In, Out, Branch>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    pricer<leading<In, Out, Branch>>::pass(bundle, Out, In,
                                           [&](priced_bundle& led) { back_pricer<Branch>::through(p, led, at); });
  }
};
template <class... Operations>
struct back_pricer<each<sequence<Operations...>>> {
  template <class P>
  static constexpr void through([[maybe_unused]] P& p, [[maybe_unused]] priced_bundle& bundle, std::size_t at) {
    if constexpr (sizeof...(Operations) > 0) rest<Operations...>(p, bundle, at);
  }

 private:
  template <class First, class... Others, class P>
  static constexpr void rest(P& p, priced_bundle& bundle, std::size_t at) {
    if constexpr (sizeof...(Others) > 0) rest<Others...>(p, bundle, at + 1);
    priced_bundle const& taken = p.tape[at];
    for (std::size_t i = 0; i < bundle.count; ++i) {
      p.before = gradient_like(p, taken.values[i]);
      static_cast<void>(price_of<typename First::conjugate>(p, bundle.values[i]));
    }
    restore(p, bundle, taken);
  }
};
template <class Branch>
struct back_pricer<beside<Branch>> : back_pricer<Branch> {};

/// What is run again of a recomputed branch: all but a last operation that needs no more than its inputs.
template <class Done, class... Left>
struct run_again {
  using type = Done;
};
template <class... Done, class First, class... Left>
struct run_again<sequence<Done...>, First, Left...> : run_again<sequence<Done..., First>, Left...> {};
template <class... Done, operation Last>
  requires(Last::keeps == keep::inputs)
struct run_again<sequence<Done...>, Last> {
  using type = sequence<Done...>;
};
template <class... Done, std::size_t Port, class... Inner>
struct run_again<sequence<Done...>, on_port<Port, sequence<Inner...>>> {
  using type = sequence<Done..., on_port<Port, typename run_again<sequence<>, Inner...>::type>>;
};
template <class... Operations>
struct back_pricer<recompute<sequence<Operations...>>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    priced_bundle again = p.tape[at];
    p.notes = false;
    pricer<typename run_again<sequence<>, Operations...>::type>::through(p, again);
    p.notes = true;
    back_pricer<sequence<Operations...>>::through(p, bundle, at + 1);
  }
};

/// Parameters come together again unless they have stayed; the weight pass sums their gradients into the parts.
template <class Group, class When, class Shards, class Branch>
struct back_pricer<gathered<Group, When, Shards, Branch>> {
  template <class P>
  static constexpr void through(P& p, priced_bundle& bundle, std::size_t at) {
    std::size_t const step = p.report.count;
    if (!When::keeps) p.template send_as<Group>("all_gather parameters", 0, false);
    pricing_of_shares<P, Group, Shards, Branch> inner{p};
    back_pricer<Branch>::through(inner, bundle, at);
    p = inner;
    if (!When::keeps) p.report.steps[step].bytes_sent = inner.gathered;
    p.template send_as<Group>("reduce_scatter parameters", inner.scattered, false);
  }
};

}  // namespace detail

/// The bill of `rank` for one backward step, data and weights: the collectives that the conjugates need, twice the
/// forward pass' operations, and again those of what is recomputed. What `reduce_gradients` sends comes on top.
template <class Style, class Grid>
[[nodiscard]] constexpr cost_report backward_cost_of(Grid const& grid, int rank, layer_shape const& shape) {
  using priced = detail::pricer<typename Style::forward>;
  detail::taped_pricing<Grid, priced::entries + 1> p{{grid, rank, shape}};
  detail::priced_bundle bundle = detail::first_bundle(shape);
  priced::through(p, bundle);
  p.report = {};
  p.back = true;
  for (std::size_t i = 0; i < bundle.count; ++i) bundle.values[i] = detail::gradient_like(p, bundle.values[i]);
  detail::back_pricer<typename Style::forward>::through(p, bundle, 0);
  return p.report;
}

}  // namespace heddle::inline HEDDLE_ABI
