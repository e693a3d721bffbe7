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

}  // namespace

TEST_CASE("execution: memory, multiplication, scratch, and counts that the host can read") {
  static_assert(execution<own_backend>);
  static_assert(!execution<counts_on_the_device> && !execution<multiplies_nothing> && !execution<int>);
}
