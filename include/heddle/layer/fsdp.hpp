// SPDX-License-Identifier: Apache-2.0
// Branches on parameters that a group shares out, at run time: forward gathers, backward gathers again or finds what
// was kept, and the weight pass ends in a reduce_scatter that adds to this rank's part of the gradient.
#pragma once

#include <heddle/layer/beside.hpp>
#include <heddle/layer/gradients.hpp>
#include <heddle/layer/move_shares.hpp>
#include <heddle/sequence/gathered.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Saved: the branch's own values, and its parameters if they stay gathered. `Parameters` is `parameters_of_branch`.
template <class Parameters, class Weights, class Saved>
struct gathered_saved {
  Weights const* parameters;
  Saved saved;
};
/// What the weight pass waits for: the cotangents, and the sizes of the gathered parameters, which may be gone.
template <class Weights, class Pending>
struct gathered_pending {
  Weights const* sizes;
  Pending pending;
};

/// Waits for values that are computed on another lane.
template <class... Values>
void wait_for(std::tuple<Values...> const& values) {
  std::apply([](auto const&... value) { (static_cast<void>(arrived(value)), ...); }, values);
}

template <class Group, class When, class Shards, class Branch>
struct parameters_of_branch {
  static constexpr bool stay = When::keeps;
  using operations = typename parameterised_in<Branch>::type;
  using roles = typename roles_of<operations>::type;
  template <class Role>
  using cuts = typename first_of_role<Role, operations>::type::parameter;
  template <class Role>
  using state = typename Shards::template state<cuts<Role>>;

  /// The member of a struct that a role reads, to be written: the struct is our own copy.
  template <class Role, class Struct>
  static auto& member(Struct& of) {
    return const_cast<std::remove_cvref_t<decltype(Role::of(of))>&>(Role::of(of));
  }

  /// The weights with all parameters of the branch whole.
  template <class Frame>
  static auto const& gather(Frame& frame) {
    using weights_type = std::remove_cvref_t<decltype(frame.weights())>;
    auto* const whole = std::construct_at(allocate_here<weights_type>(frame.execution(), 1), frame.weights());
    each_role(roles{}, [&]<class Role>(std::type_identity<Role>) {
      each_tensor(
          [&](bool optional, auto const& own, auto& all) {
            auto const by = shared<Role>(frame, own);
            using tensor = std::remove_cvref_t<decltype(all)>;
            if (optional && !present<Group>(frame, by, own.data() != nullptr)) {
              // Biases of no experts cannot be told from none; they have the sizes of the whole all the same.
              if (by.outer == 0)
                all = tensor{own.data(), with_axis<typename state<Role>::axis>(own.shape(), by.whole())};
              return;
            }
            check_share<typename state<Role>::axis, Group>(frame, by, own);
            all = tensor{gather_shares<When::keeps, Group>(frame, by, own),
                         with_axis<typename state<Role>::axis>(own.shape(), by.whole())};
          },
          Role::of(frame.weights()), member<Role>(*whole));
    });
    return std::as_const(*whole);
  }
  /// Gradients of whole parameters, zero; those of other parameters stay where they are.
  template <class Frame, class Weights>
  static auto zeros(Frame& frame, Weights const& sizes) {
    auto gradients = frame.gradients();
    each_role(roles{}, [&]<class Role>(std::type_identity<Role>) {
      each_tensor(
          [&](bool, auto const& whole, auto& gradient) {
            using tensor = std::remove_cvref_t<decltype(gradient)>;
            using value = typename tensor::value_type;
            if (whole.data() == nullptr) return;
            gradient = tensor{room_for<false, value>(frame, whole.count()), whole.shape()};
            frame.execution().fill_zero(gradient.data(), gradient.count());
          },
          Role::of(sizes), member<Role>(gradients));
    });
    return gradients;
  }
  /// Adds the sums of whole gradients to this rank's parts of them.
  template <class Frame, class Weights, class Gradients>
  static void scatter(Frame& frame, Weights const& sizes, Gradients const& whole) {
    each_role(roles{}, [&]<class Role>(std::type_identity<Role>) {
      each_tensor(
          [&](bool, auto const& there, auto const& gradient, auto const& part) {
            if (there.data() == nullptr) return;
            auto const by = shared<Role>(frame, part);
            check_share<typename state<Role>::axis, Group>(frame, by, part);
            scatter_shares<Group>(frame, by, gradient.data(), part);
          },
          Role::of(sizes), Role::of(whole), Role::of(frame.gradients()));
    });
  }
  /// visit(tensor) for every tensor that was gathered.
  template <class Weights, class Visit>
  static void each_gathered(Weights const& whole, Visit const& visit) {
    each_role(roles{}, [&]<class Role>(std::type_identity<Role>) {
      each_tensor([&](bool, auto const& tensor) { visit(tensor); }, Role::of(whole));
    });
  }

 private:
  template <class... Roles, class Visit>
  static void each_role(type_list<Roles...>, Visit const& visit) {
    (visit(std::type_identity<Roles>{}), ...);
  }
  template <class Role, class Frame, class Tensor>
  static auto shared(Frame& frame, Tensor const& own) {
    using axis = typename state<Role>::axis;
    return share_of<typename state<Role>::partition, axis, Group, cuts<Role>>(
        frame, own, whole_size<axis>(Role::of(frame.weights())));
  }
};

template <class Mode, class Group, class When, class Shards, class Branch>
struct walk<Mode, gathered<Group, When, Shards, Branch>> {
  using parameters = parameters_of_branch<Group, When, Shards, Branch>;

  template <class Frame, class Values>
  static auto through(Frame& frame, Values const& values) {
    [[maybe_unused]] auto const use = lending(frame);
    auto const& whole = parameters::gather(frame);
    auto inner = frame.with(whole);
    auto const result = walk<Mode, Branch>::through(inner, values);
    wait_for(result.values);
    if constexpr (Mode::saves) {
      using weights_type = std::remove_cvref_t<decltype(whole)>;
      return passed{result.values,
                    gathered_saved<parameters, weights_type, decltype(result.saved)>{&whole, result.saved}};
    } else {
      return result;
    }
  }
};

template <class Group, class When, class Shards, class Branch>
struct walk_back<gathered<Group, When, Shards, Branch>> {
  using parameters = parameters_of_branch<Group, When, Shards, Branch>;

  template <class Frame, class Saved, class Values>
  static auto through(Frame& frame, Saved const& saved, Values const& dy) {
    [[maybe_unused]] auto const use = lending(frame);
    auto const& whole = [&]() -> auto const& {
      if constexpr (When::keeps) return *saved.parameters;
      else return parameters::gather(frame);
    }
    ();
    auto inner = frame.with(whole);
    auto const result = walk_back<Branch>::through(inner, saved.saved, dy);
    wait_for(result.values);
    using weights_type = std::remove_cvref_t<decltype(whole)>;
    return returned{result.values, gathered_pending<weights_type, decltype(result.pending)>{&whole, result.pending}};
  }
};

/// Whether an execution has communicators: that of a lane that sends nothing has none.
template <class Execution, class Group>
concept communicates = requires(Execution& execution) {
  execution.template communicator<Group>();
};

template <class Group, class When, class Shards, class Branch>
struct walk_weights<gathered<Group, When, Shards, Branch>> {
  using parameters = parameters_of_branch<Group, When, Shards, Branch>;

  template <class Frame, class Saved, class Pending>
  static void through(Frame& frame, Saved const& saved, Pending const& pending) {
    static_assert(
        communicates<std::remove_cvref_t<decltype(frame.execution())>, Group>,
        "[heddle.weights.lane] the weight pass of parameters that are shared out ends in a reduce_scatter, and "
        "this execution has no communicators. Fix: give the lane an execution with mesh_groups of its own, "
        "over the same ranks.");
    [[maybe_unused]] auto const use = lending(frame);
    auto const gradients = parameters::zeros(frame, *pending.sizes);
    auto inner = frame.with(*pending.sizes, gradients);
    walk_weights<Branch>::through(inner, saved.saved, pending.pending);
    parameters::scatter(frame, *pending.sizes, gradients);
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
