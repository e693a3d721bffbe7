// SPDX-License-Identifier: Apache-2.0
// The sum of several values, where branches join and where gradients of a fork meet: from the first to the last, into
// scratch of its own.
#pragma once

#include <heddle/kernel/add.hpp>
#include <heddle/layer/check_part.hpp>
#include <heddle/layer/frame.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Frame, class Value>
Value sum(Frame&, Value value) {
  return value;
}
template <class Frame, class A, class B, class Memory, class... Rest>
auto sum(Frame& frame, activation<A, Memory> a, activation<B, Memory> b, Rest... rest) {
  using value = std::remove_const_t<A>;
  index_t const height = a.data.template size<tokens>();
  check_width("a branch of a join", b.data.template size<hidden>(), a.data.template size<hidden>());
  auto y = frame.template scratch_rows<value>(height, a.data.template size<hidden>());
  frame.launch(kernel::add<value, Memory>{.a = a.data, .b = b.data, .y = y}, height);
  return sum(frame, activation<value, Memory>{y, a.full_hidden}, rest...);
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
