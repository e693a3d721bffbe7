// SPDX-License-Identifier: Apache-2.0
// The backward interpreter: gradients flow through the conjugates of a sequence in reverse order. What meets a
// parameter on the way is put by for the weight pass, which may run at once or later.
#pragma once

#include <heddle/layer/walk.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// What comes out of a walk back: the gradients of the inputs, and the cotangents that parameters wait for.
template <class Values, class Pending>
struct returned {
  Values values;
  Pending pending;
};
template <class Values, class Pending>
returned(Values, Pending) -> returned<Values, Pending>;

template <class Conjugate, class Frame, class... Values>
auto run_back(Frame& frame, nothing_kept, std::tuple<Values...> const& dy) {
  return run_on<Conjugate>(frame, dy);
}
template <class Conjugate, class Frame, class... Kept, class... Values>
auto run_back(Frame& frame, kept<Kept...> const& saved, std::tuple<Values...> const& dy) {
  return std::apply([&](auto... value) { return bundled(run(Conjugate{}, frame, saved, arrived(value)...)); }, dy);
}

/// What the weight pass will be given of an operation: the cotangents, and what the operation finds out for it in
/// `put_by(operation, frame)`, because that pass knows no groups.
template <class Operation, class Frame, class... Values>
auto put_by_for_weights(Frame& frame, std::tuple<Values...> const& dy) {
  if constexpr (requires { put_by(Operation{}, frame); })
    return keeping(std::tuple_cat(dy, single(put_by(Operation{}, frame))));
  else return keeping(dy);
}

template <class Operation>
struct walk_back {
  template <class Frame, class Saved, class... Values>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Values...> const& dy) {
    using conjugate = typename Operation::conjugate;
    if constexpr (parameterised<Operation>) {
      auto const waiting = borrowed(dy);  // the weight pass comes later: nothing may change it in place
      return returned{run_back<conjugate>(frame, saved, waiting), put_by_for_weights<Operation>(frame, waiting)};
    } else {
      return returned{run_back<conjugate>(frame, saved, dy), nothing_kept{}};
    }
  }
};

template <class... Operations>
struct walk_back<sequence<Operations...>> {
  template <class Frame, class Saved, class Values>
  static auto through(Frame& frame, Saved const& saved, Values const& dy) {
    return first<sizeof...(Operations)>(frame, saved, dy);
  }

 private:
  // Back through the first `Count` operations, the last of them first.
  template <std::size_t Count, class Frame, class Saved, class Values>
  static auto first(Frame& frame, Saved const& saved, Values const& dy) {
    if constexpr (Count == 0) {
      return returned{dy, std::tuple<>{}};
    } else {
      using operation = element_t<type_list<Operations...>, static_cast<int>(Count) - 1>;
      auto const last = walk_back<operation>::through(frame, std::get<Count - 1>(saved), dy);
      auto const rest = first<Count - 1>(frame, saved, last.values);
      return returned{rest.values, std::tuple_cat(rest.pending, single(last.pending))};
    }
  }
};

template <class Branch, class Frame, class Saved, class Value>
auto back_branch(Frame& frame, Saved const& saved, Value const& dy) {
  auto const result = walk_back<Branch>::through(frame, saved, std::tuple<Value>{dy});
  return returned{std::get<0>(result.values), result.pending};
}
template <class... Values, class... Pending>
auto together(std::tuple<returned<Values, Pending>...> const& parts) {
  return std::apply(
      [](auto const&... part) {
        return returned{std::tuple{part.values...}, std::tuple<Pending...>{part.pending...}};
      },
      parts);
}

template <class... Branches>
struct walk_back<fork<Branches...>> {
  template <class Frame, class Saved, class... Values>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Values...> const& dy) {
    auto const parts = [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      return together(std::tuple{back_branch<Branches>(frame, std::get<Index>(saved), std::get<Index>(dy))...});
    }
    (std::index_sequence_for<Branches...>{});
    return returned{bundled(std::apply([&](auto... part) { return sum(frame, arrived(part)...); }, parts.values)),
                    parts.pending};
  }
};

template <class... Branches>
struct walk_back<join<Branches...>> {
  template <class Frame, class Saved, class Value>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Value> const& dy) {
    auto const shared = borrow(std::get<0>(dy));
    return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      return together(std::tuple{back_branch<Branches>(frame, std::get<Index>(saved), shared)...});
    }
    (std::index_sequence_for<Branches...>{});
  }
};

template <std::size_t Port, class Branch>
struct walk_back<on_port<Port, Branch>> {
  template <class Frame, class Saved, class... Values>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Values...> const& dy) {
    auto const result = back_branch<Branch>(frame, saved, std::get<Port>(dy));
    return returned{with_port<Port>(dy, result.values), result.pending};
  }
};

template <class... Operations>
struct walk_back<each<sequence<Operations...>>> {
  template <class Frame, class Values>
  static auto through(Frame& frame, nothing_kept, Values const& dy) {
    return returned{first<sizeof...(Operations)>(frame, dy), nothing_kept{}};
  }

 private:
  template <std::size_t Count, class Frame, class Values>
  static auto first(Frame& frame, Values const& dy) {
    if constexpr (Count == 0) {
      return dy;
    } else {
      using operation = element_t<type_list<Operations...>, static_cast<int>(Count) - 1>;
      return first<Count - 1>(frame, run_each<typename operation::conjugate>(frame, dy));
    }
  }
};

/// What a recomputed branch leaves for the weight pass: the values it saved when it ran again, and the cotangents.
template <class Saved, class Pending>
struct recomputed {
  Saved saved;
  Pending pending;
};
template <class Saved, class Pending>
recomputed(Saved, Pending) -> recomputed<Saved, Pending>;

template <class Branch>
struct walk_back<recompute<Branch>> {
  template <class Frame, class Saved, class Values>
  static auto through(Frame& frame, Saved const& saved, Values const& dy) {
    auto const again = inputs_of_all(frame, saved.values, Branch{});
    auto const result = walk_back<Branch>::through(frame, again, dy);
    return returned{result.values, recomputed{again, result.pending}};
  }

 private:
  // The last operation is not run again where its inputs are all it needs.
  template <class Frame, class Values, class... Operations>
  static auto inputs_of_all(Frame& frame, Values const& values, sequence<Operations...>) {
    return rest<Operations...>(frame, values);
  }
  template <class First, class... Others, class Frame, class Values>
  static auto rest(Frame& frame, Values const& values) {
    if constexpr (sizeof...(Others) > 0) {
      auto const next = walk<training, First>::through(frame, values);
      return std::tuple_cat(single(next.saved), rest<Others...>(frame, next.values));
    } else {
      return single(last<First>(frame, values));
    }
  }
  template <class Last, class Frame, class Values>
  static auto last(Frame& frame, Values const& values) {
    if constexpr (operation<Last>) {
      if constexpr (Last::keeps == keep::inputs) return keeping(borrowed(values));
      else return walk<training, Last>::through(frame, values).saved;
    } else {
      return last_of(frame, values, static_cast<Last*>(nullptr));
    }
  }
  template <class Combinator, class Frame, class Values>
  static auto last_of(Frame& frame, Values const& values, Combinator*) {
    return walk<training, Combinator>::through(frame, values).saved;
  }
  template <std::size_t Port, class Inner, class Frame, class Values>
  static auto last_of(Frame& frame, Values const& values, on_port<Port, Inner>*) {
    return inputs_of_all(frame, single(std::get<Port>(values)), Inner{});
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
