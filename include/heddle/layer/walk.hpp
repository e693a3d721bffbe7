// SPDX-License-Identifier: Apache-2.0
// The forward interpreter: values flow through a sequence, each operation by its overload of `run`. In training it
// keeps what every operation says it needs again. A user's operation brings its own overload beside it.
#pragma once

#include <heddle/layer/bundle.hpp>
#include <heddle/layer/frame.hpp>
#include <heddle/layer/scratch_of_branch.hpp>
#include <heddle/layer/sum_values.hpp>
#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Whether a walk keeps values for the backward pass.
struct inference {
  static constexpr bool saves = false;
};
struct training {
  static constexpr bool saves = true;
};

/// What comes out of a walk: the values, and what was saved on the way.
template <class Values, class Saved>
struct passed {
  Values values;
  Saved saved;
};
template <class Values, class Saved>
passed(Values, Saved) -> passed<Values, Saved>;

template <class Operation, class Frame, class... Values>
auto run_on(Frame& frame, std::tuple<Values...> const& values) {
  return std::apply([&](auto... value) { return bundled(run(Operation{}, frame, arrived(value)...)); }, values);
}

template <class Mode, class Operation>
struct walk {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> const& values) {
    if constexpr (!Mode::saves || Operation::keeps == keep::nothing) {
      return passed{run_on<Operation>(frame, values), nothing_kept{}};
    } else if constexpr (Operation::keeps == keep::inputs) {
      auto const inputs = borrowed(values);  // what is kept must not be changed in place
      return passed{run_on<Operation>(frame, inputs), keeping(inputs)};
    } else if constexpr (Operation::keeps == keep::last_input) {
      constexpr std::size_t last = sizeof...(Values) - 1;
      auto const inputs = with_port<last>(values, borrow(arrived(std::get<last>(values))));
      return passed{run_on<Operation>(frame, inputs), keeping(single(std::get<last>(inputs)))};
    } else if constexpr (Operation::keeps == keep::outputs) {
      auto const outputs = borrowed(run_on<Operation>(frame, values));
      return passed{outputs, keeping(outputs)};
    } else {
      auto const inputs = borrowed(values);
      auto const outputs = borrowed(run_on<Operation>(frame, inputs));
      return passed{outputs, keeping(std::tuple_cat(inputs, outputs))};
    }
  }
};

/// What a combinator saves: one entry a part; nothing where nothing is wanted.
template <class Mode, class... Parts>
auto saved_of(std::tuple<Parts...> const& parts) {
  if constexpr (Mode::saves) return parts;
  else return nothing_kept{};
}

template <class Mode, class... Operations>
struct walk<Mode, sequence<Operations...>> {
  template <class Frame, class Values>
  static auto through(Frame& frame, Values const& values) {
    return rest<Operations...>(frame, values);
  }

 private:
  template <class Frame, class Values>
  static auto rest(Frame&, Values const& values) requires(sizeof...(Operations) == 0) {
    return passed{values, saved_of<Mode>(std::tuple<>{})};
  }
  template <class First, class... Others, class Frame, class Values>
  static auto rest(Frame& frame, Values const& values) {
    auto const next = walk<Mode, First>::through(frame, values);
    if constexpr (sizeof...(Others) == 0) {
      return passed{next.values, saved_of<Mode>(single(next.saved))};
    } else {
      auto const last = rest<Others...>(frame, next.values);
      if constexpr (Mode::saves) return passed{last.values, std::tuple_cat(single(next.saved), last.saved)};
      else return last;
    }
  }
};

template <class Mode, class Branch, class Frame, class Value>
auto through_branch(Frame& frame, Value const& value) {
  auto const result = walk<Mode, Branch>::through(frame, std::tuple<Value>{value});
  return passed{std::get<0>(result.values), result.saved};
}
/// The values of several walks, and what they saved.
template <class Mode, class... Values, class... Saved>
auto together(std::tuple<passed<Values, Saved>...> const& parts) {
  return std::apply(
      [](auto const&... part) {
        return passed{std::tuple{part.values...}, saved_of<Mode>(std::tuple<Saved...>{part.saved...})};
      },
      parts);
}

template <class Mode, class... Branches>
struct walk<Mode, fork<Branches...>> {
  template <class Frame, class Value>
  static auto through(Frame& frame, std::tuple<Value> const& value) {
    auto const shared = borrow(std::get<0>(value));  // no branch may write what the others read
    // Braces order the branches: every rank meets their collectives in one order.
    return together<Mode>(std::tuple{through_branch<Mode, Branches>(frame, shared)...});
  }
};

template <class Mode, class... Branches>
struct walk<Mode, join<Branches...>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> const& values) {
    auto const parts = together<Mode>(std::apply(
        [&](auto const&... value) { return std::tuple{through_branch<Mode, Branches>(frame, arrived(value))...}; },
        values));
    return passed{bundled(std::apply([&](auto... part) { return sum(frame, part...); }, parts.values)), parts.saved};
  }
};

template <class Mode, std::size_t Port, class Branch>
struct walk<Mode, on_port<Port, Branch>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> const& values) {
    auto const result = through_branch<Mode, Branch>(frame, std::get<Port>(values));
    return passed{with_port<Port>(values, result.values), result.saved};
  }
};

/// One operation on every value, in the order of their ports on every rank.
template <class Operation, class Frame, class... Values>
auto run_each(Frame& frame, std::tuple<Values...> const& values) {
  return std::apply(
      [&](auto... value) {
        return std::tuple<decltype(run(Operation{}, frame, value))...>{run(Operation{}, frame, value)...};
      },
      values);
}

// Operation by operation over all values: a gather must have moved the routing before anyone selects by it.
template <class Mode, class... Operations>
struct walk<Mode, each<sequence<Operations...>>> {
  static_assert(((Operations::keeps == keep::nothing) && ...),
                "[heddle.each.keeps] an operation that saves values cannot run on every value of a bundle. Fix: put it "
                "on its port.");
  template <class Frame, class Values>
  static auto through(Frame& frame, Values const& values) {
    return passed{rest<Operations...>(frame, values), nothing_kept{}};
  }

 private:
  template <class Frame, class Values>
  static auto rest(Frame&, Values const& values) requires(sizeof...(Operations) == 0) {
    return values;
  }
  template <class First, class... Others, class Frame, class Values>
  static auto rest(Frame& frame, Values const& values) {
    auto const next = run_each<First>(frame, values);
    if constexpr (sizeof...(Others) == 0) return next;
    else return rest<Others...>(frame, next);
  }
};

template <class Mode, class Branch>
struct walk<Mode, recompute<Branch>> {
  template <class Frame, class Values>
  static auto through(Frame& frame, Values const& values) {
    if constexpr (Mode::saves) {
      auto const inputs = borrowed(values);
      scratch_of_branch<Frame> const scratch{frame};
      return passed{scratch.keep_only(walk<inference, Branch>::through(frame, inputs).values), keeping(inputs)};
    } else {
      return walk<inference, Branch>::through(frame, values);
    }
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
