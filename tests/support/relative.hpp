// SPDX-License-Identifier: Apache-2.0
// The one measure by which tensors are compared with an oracle's: relative to the largest number of the tensor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

namespace support {

/// What a difference in a tensor is a part of: its largest number, no number and infinities aside. There is no floor:
/// zeros must be zeros. Where terms cancel the tensor is no measure of what it was computed from, and the oracle gives
/// one: `size`, the largest of `oracle::measured` (in measured.hpp); it counts where it is more. A part of a tensor
/// takes the scale of the whole as its size.
[[nodiscard]] inline double scale_of(std::vector<double> const& wanted, double size = 0) {
  double scale = size;
  for (double const value : wanted) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
  }
  return scale;
}

/// Nothing where both are the same, or both are no number.
[[nodiscard]] inline double part_of_scale(double got, double wanted, double scale) {
  if (got == wanted || (std::isnan(got) && std::isnan(wanted))) return 0;
  double const part = std::abs(got - wanted) / scale;
  return part == part ? part : std::numeric_limits<double>::infinity();
}

/// The largest difference in parts of the scale; infinite where lists are not of one length.
[[nodiscard]] inline double relative_off(std::vector<double> const& got, std::vector<double> const& wanted,
                                         double size = 0) {
  if (got.size() != wanted.size()) return std::numeric_limits<double>::infinity();
  double const scale = scale_of(wanted, size);
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) largest = std::max(largest, part_of_scale(got[i], wanted[i], scale));
  return largest;
}

/// Empty, or the first number that is off by more than `tolerance` of the scale.
[[nodiscard]] inline std::string relative_difference(std::vector<double> const& got, std::vector<double> const& wanted,
                                                     double tolerance, double size = 0) {
  if (got.size() != wanted.size())
    return " has " + std::to_string(got.size()) + " numbers, expected " + std::to_string(wanted.size());
  double const scale = scale_of(wanted, size);
  for (std::size_t i = 0; i < got.size(); ++i) {
    double const part = part_of_scale(got[i], wanted[i], scale);
    if (part <= tolerance) continue;
    char line[160];
    static_cast<void>(std::snprintf(line, sizeof line, "[%zu] is %.17g for %.17g, off by %.3g of %.3g", i, got[i],
                                    wanted[i], part, scale));
    return line;
  }
  return {};
}

}  // namespace support
