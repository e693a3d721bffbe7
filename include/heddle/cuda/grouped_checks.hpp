// SPDX-License-Identifier: Apache-2.0
// What a grouped product is refused for before anything is launched. The sizes of the groups are on the GPU: nobody
// looks at them here.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The sizes of a call: `wide` [rows, out] and `narrow` [rows, in] on the two sides of weights [groups, out, in].
struct grouped_sizes {
  index_t wide_rows = 0, wide = 0;
  index_t narrow_rows = 0, narrow = 0;
  index_t groups = 0, out = 0, in = 0;
  index_t begins = 0;  ///< numbers that say where groups begin, and where the last one ends
};

/// Throws `shape` where they do not fit; `call` is for the text. Rows that are gathered may be any number.
inline void check_grouped(char const* call, grouped_sizes const& of, bool gathers = false, int rank = -1) {
  if (of.begins != of.groups + 1) {
    throw error(error_kind::shape,
                std::string{call} + ": " + std::to_string(of.begins) + " places where groups begin, for " +
                    std::to_string(of.groups) + " groups",
                "give one for each group and behind them the end of the last one", rank);
  }
  bool const same_rows = gathers || of.wide_rows == of.narrow_rows;
  if (same_rows && of.wide == of.out && of.narrow == of.in) return;
  auto const text = [](index_t a, index_t b) { return "[" + std::to_string(a) + ", " + std::to_string(b) + "]"; };
  throw error(error_kind::shape,
              std::string{call} + ": weights " + text(of.out, of.in) + " between inputs " +
                  text(of.narrow_rows, of.narrow) + " and outputs " + text(of.wide_rows, of.wide),
              "inputs are [rows, in_features], outputs [rows, out_features], weights [out_features, in_features]",
              rank);
}

/// Throws `shape` unless there is one row to gather for each row of the result.
inline void check_source(char const* call, index_t sources, index_t rows, int rank = -1) {
  if (sources == rows) return;
  throw error(error_kind::shape,
              std::string{call} + ": " + std::to_string(sources) + " rows to gather for " + std::to_string(rows),
              "name a source for each row, -1 for a row of zeros", rank);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
