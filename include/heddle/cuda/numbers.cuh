// SPDX-License-Identifier: Apache-2.0
// Numbers that the host knows, where kernels read them. They travel as arguments of a launch, which are copied at the
// call: no pinned memory, nothing that has to outlive the step, and a captured step holds them as well.
#pragma once

#include <heddle/cuda/launch.cuh>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// How many go with one launch: half of the smallest limit on arguments.
inline constexpr index_t numbers_of_launch = 256;

/// to[i] = values[i] for i < count <= 256. It is launched over one row.
struct store_numbers {
  index_t values[numbers_of_launch];
  index_t count = 0;
  index_t* to = nullptr;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    for (index_t i = team.rank(); i < count; i += team.size()) to[i] = values[i];
  }
};

/// The numbers at `to`, memory of the GPU, for all that is launched on the same queue behind it.
inline void send_numbers(std::span<index_t const> numbers, index_t* to, queue const& on) {
  auto const all = static_cast<index_t>(numbers.size());
  for (index_t begin = 0; begin < all; begin += numbers_of_launch) {
    store_numbers part;
    part.count = all - begin < numbers_of_launch ? all - begin : numbers_of_launch;
    part.to = to + begin;
    for (index_t i = 0; i < part.count; ++i) part.values[i] = numbers[static_cast<std::size_t>(begin + i)];
    launch_rows(part, 1, on);
  }
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
