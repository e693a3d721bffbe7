// SPDX-License-Identifier: Apache-2.0
// Rounding between element types in the order of a stream, for sums that run in a wider type than the data has. NCCL
// has no such call, so whoever has kernels lends one.
#pragma once

#include <heddle/kernel/cast.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// No kernels: NCCL adds what it is given.
struct no_cast {};

/// Casts by the row kernel of the library. `launch(kernel, rows)` runs it on memory of kind `Memory`, in the order of
/// the stream of the communicator: `[&](auto const& kernel, index_t rows) { execution.launch(kernel, rows); }`.
template <class Memory, class Launch>
class launched_cast {
 public:
  explicit launched_cast(Launch launch) : launch_{std::move(launch)} {}

  /// to[i] = from[i] rounded to nearest even, for i < count.
  template <real From, real To>
  void operator()(To* to, From const* from, index_t count) const {
    index_t const whole = count / width;
    run(to, from, whole, width);
    if (count % width != 0) run(to + whole * width, from + whole * width, 1, count % width);
  }

 private:
  static constexpr index_t width = 4096;  // elements of a row: enough for every lane of a team

  template <class From, class To>
  void run(To* to, From const* from, index_t count, index_t row) const {
    if (count == 0) return;
    extents<tokens, hidden> const shape{count, row};
    launch_(kernel::cast<From, To, Memory>{.x = {from, shape}, .y = {to, shape}}, count);
  }

  Launch launch_;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
