// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/execution.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct own_backend {
  using memory = host_memory;
  template <class X, class W, class Y>
  void multiply(X, W, Y) {}
  template <class Element>
  Element* allocate(index_t) {
    return nullptr;
  }
  index_t* allocate_counts(index_t) { return nullptr; }
  std::span<index_t const> visible(std::span<index_t const> counts) { return counts; }
};
struct counts_on_the_device : own_backend {
  void* allocate_counts(index_t) { return nullptr; }
};
struct multiplies_nothing {
  using memory = host_memory;
};

/// What a device asks for besides.
struct far_away : own_backend {
  using memory = device_memory;
  template <class Element>
  Element* allocate_here(index_t) {
    return nullptr;
  }
  template <class Element>
  void fill_zero(Element*, index_t) {}
  counts<device_memory> order_by_expert(slot_view<std::int32_t const, device_memory>, index_t, index_t,
                                        std::span<std::int32_t>, std::span<std::int32_t>,
                                        slot_view<std::int32_t, device_memory>) {
    return {};
  }
  void fetch(host_sync, view<index_t const, extents<tokens>, device_memory>, std::span<index_t>) {}
};
struct waits_in_order : far_away {
  index_t order_by_expert(slot_view<std::int32_t const, device_memory>, index_t, index_t, std::span<std::int32_t>,
                          std::span<std::int32_t>, slot_view<std::int32_t, device_memory>) {
    return 0;
  }
};
struct fetches_for_anybody : far_away {
  void fetch(view<index_t const, extents<tokens>, device_memory>, std::span<index_t>) {}
};

}  // namespace

TEST_CASE("execution: memory, multiplication, scratch, and counts that the host can read") {
  static_assert(execution<own_backend>);
  static_assert(!execution<counts_on_the_device> && !execution<multiplies_nothing> && !execution<int>);
}

TEST_CASE("device_execution: scratch of the host, counts that stay where they are, and one way back") {
  static_assert(execution<far_away> && device_execution<far_away>);
  static_assert(!device_execution<own_backend> && !device_execution<waits_in_order>);
  static_assert(!device_execution<fetches_for_anybody>);
}
