// expect-error: \[heddle\.execution\.device\] an execution whose memory the host does not see lacks what a layer asks
// of it, and nothing is done on the host instead\. Fix: give it the members of `device_execution`\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/frame.hpp>
#include <tuple>

using namespace heddle;

struct far_away {
  using memory = device_memory;
  template <class X, class W, class Y>
  void multiply(X, W, Y) {}
  template <class Element>
  Element* allocate(index_t) {
    return nullptr;
  }
  template <class Element>
  Element* allocate_here(index_t) {
    return nullptr;
  }
  index_t* allocate_counts(index_t) { return nullptr; }
  void visible(std::span<index_t const>) {}
  template <class Element>
  void fill_zero(Element*, index_t) {}
  template <class... Lists>
  counts<device_memory> order_by_expert(Lists...) {
    return {};
  }
#if defined(CONTROL)
  template <class Number>
  void fetch(host_sync, view<Number const, extents<tokens>, device_memory>, std::span<Number>) {}
#endif
};

void step(far_away& execution, step_state<device_memory>& state) {
  std::tuple<> const weights;
  frame<far_away, std::tuple<>> const step{execution, weights, state};
}
