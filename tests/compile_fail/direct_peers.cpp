// expect-error: \[heddle\.direct\.peers\] kernels cannot store into the memory of the other ranks of this group\. Fix: use communicators with symmetric memory of the device, or a dispatcher of exchanges\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/device_table.hpp>
#include <heddle/mesh/group.hpp>

struct apart_ranks {
  int rank() { return 0; }
  int size() { return 1; }
};
struct close_ranks : apart_ranks {
  heddle::symmetric_memory symmetric(heddle::index_t) { return {}; }
  std::span<std::byte* const> peer_pointers() { return {}; }
  void fence() {}
};

#if defined(CONTROL)
using ranks = close_ranks;
#else
using ranks = apart_ranks;
#endif

struct step {
  template <class Group>
  ranks& communicator() {
    return group;
  }
  ranks group;
};

int use(step& of) { return heddle::detail::storing_group<heddle::ep>(of).size(); }
