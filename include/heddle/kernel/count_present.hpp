// SPDX-License-Identifier: Apache-2.0
// How many tokens are no padding, where only a kernel may look.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// present [1] = how many entries of padding [T] are false; all `tokens` where there is no mask. It is launched over
/// one row.
template <class Memory = host_memory>
struct count_present {
  index_t tokens = 0;
  per_row<bool const, Memory> padding{};
  per_row<double, Memory> present;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    double const count = sum_row<double>(
        team, tokens, [this](index_t t) { return padding.data() != nullptr && padding(t) ? 0.0 : 1.0; });
    if (team.rank() == 0) present(0) = count;
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
