// expect-error: \[heddle\.counts\.sync\] a captured step waits for counts\. Fix: choose direct_dispatcher, whose counts
// stay where they are, or an execution that may wait\. SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/fetch_report.hpp>

using namespace heddle;

struct far_away {
  using memory = device_memory;
#if !defined(CONTROL)
  static constexpr bool captures = true;
#endif
  template <class Element>
  Element* allocate_here(index_t) {
    return nullptr;
  }
  index_t* allocate_counts(index_t) { return nullptr; }
  template <class Number>
  void fetch(host_sync, per_row<Number const, device_memory>, std::span<Number>) {}
};

routing_report<> told(far_away& execution, routing_report<device_memory> const& report) {
  return fetch_report(execution, report);
}
