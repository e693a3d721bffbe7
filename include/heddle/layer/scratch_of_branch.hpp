// SPDX-License-Identifier: Apache-2.0
// A branch that will be computed again leaves its result and nothing else: what it held on the way is given back at
// once, and the result moves to where that began.
#pragma once

#include <cstring>
#include <heddle/layer/frame.hpp>
#include <tuple>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The memory of a value that can move.
template <class Value>
struct movable {
  static constexpr bool value = false;
};
template <class Element, class Memory>
struct movable<activation<Element, Memory>> {
  static constexpr bool value = true;
  static auto memory(activation<Element, Memory> x) { return x.data; }
  static activation<Element, Memory> moved(activation<Element, Memory> x, Element* to) {
    return {{to, x.data.shape()}, x.full_hidden};
  }
};
template <class Memory, class Weight>
struct movable<row_gates<Memory, Weight>> {
  static constexpr bool value = true;
  static auto memory(row_gates<Memory, Weight> x) { return x.weights; }
  static row_gates<Memory, Weight> moved(row_gates<Memory, Weight> x, Weight const* to) {
    return {{to, x.weights.shape()}};
  }
};

/// An execution whose memory can be given back early.
template <class Execution>
concept gives_back = requires(Execution& execution, float* data) {
  execution.allocated_since(execution.now(), data);
  { execution.keep_only(execution.now(), data, index_t{}) } -> std::same_as<float*>;
};

/// Begins with a branch and ends with `keep_only`. Nothing is given back where the branch left something in the state
/// of the step, or more than one new value, or one that cannot move.
template <class Frame>
class scratch_of_branch {
  using execution_type = std::remove_reference_t<decltype(std::declval<Frame&>().execution())>;
  using state_type = step_state<typename Frame::memory>;
  static_assert(std::is_trivially_copyable_v<state_type>);

 public:
  explicit scratch_of_branch(Frame& frame) : frame_{&frame} {
    if constexpr (gives_back<execution_type>) {
      begin_ = frame.execution().now();
      std::memcpy(before_.data(), &frame.state(), sizeof(state_type));
    }
  }

  template <class... Values>
  [[nodiscard]] std::tuple<Values...> keep_only(std::tuple<Values...> values) const {
    if constexpr (gives_back<execution_type> && (movable<Values>::value && ...)) {
      bool const state_is_as_before = std::memcmp(before_.data(), &frame_->state(), sizeof(state_type)) == 0;
      auto const fresh = [&](auto const& value) -> int {
        return frame_->execution().allocated_since(begin_, memory_of(value).data()) ? 1 : 0;
      };
      int const found = std::apply([&](auto const&... value) { return (0 + ... + fresh(value)); }, values);
      if (state_is_as_before && found == 1) {
        std::apply([&](auto&... value) { (static_cast<void>(fresh(value) == 1 && move(value)), ...); }, values);
      }
    }
    return values;
  }

 private:
  template <class Value>
  static auto memory_of(Value const& value) {
    return movable<Value>::memory(value);
  }
  template <class Value>
  bool move(Value& value) const {
    auto const memory = memory_of(value);
    value = movable<Value>::moved(value, frame_->execution().keep_only(begin_, memory.data(), memory.count()));
    return true;
  }
  static auto moment(execution_type& execution) {
    if constexpr (gives_back<execution_type>) return execution.now();
    else return nullptr;
  }

  Frame* frame_;
  decltype(moment(std::declval<execution_type&>())) begin_{};
  std::array<std::byte, sizeof(state_type)> before_{};
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
