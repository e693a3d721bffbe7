// SPDX-License-Identifier: Apache-2.0
// What the host GEMMs accept: which element types meet, and which sizes fit. Everything is checked before anything
// is written.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/tensor/view.hpp>
#include <span>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// One element type, constant or not.
template <class W, class X>
concept same_element = real<std::remove_const_t<X>> && std::is_same_v<W const, X const>;

/// What meets weights or activations W in a backward pass: a gradient of the same type, or of the type of its sums.
template <class X, class W>
concept gradient_of = real<std::remove_const_t<W>> &&
    (std::is_same_v<X const, W const> || std::is_same_v<X const, accumulator_t<std::remove_const_t<W>> const>);

/// Throws `error_kind::argument` for a negative count and `shape` unless there is one count an expert; returns their
/// sum.
inline index_t check_counts(std::span<index_t const> counts, index_t experts) {
  if (static_cast<index_t>(counts.size()) != experts) {
    throw error(error_kind::shape,
                std::to_string(counts.size()) + " counts for " + std::to_string(experts) + " experts",
                "give one count for each expert");
  }
  index_t total = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    if (counts[e] < 0) {
      throw error(error_kind::argument, "expert " + std::to_string(e) + " has " + std::to_string(counts[e]) + " rows",
                  "counts start at zero");
    }
    total += counts[e];
  }
  return total;
}

/// Throws `error_kind::shape` unless `wide` [rows, out_features] and `narrow` [rows, in_features] stand on the two
/// sides of weights [..., out_features, in_features]. `call` names what was asked, for the text.
template <class Wide, class Narrow, class W>
void check_gemm(char const* call, Wide const& wide, Narrow const& narrow, W const& w, index_t rows) {
  index_t const out = w.template size<out_features>();
  index_t const in = w.template size<in_features>();
  if (wide.row_size() == out && narrow.row_size() == in && wide.template size<tokens>() == rows &&
      narrow.template size<tokens>() == rows) {
    return;
  }
  auto const text = [](index_t a, index_t b) { return "[" + std::to_string(a) + ", " + std::to_string(b) + "]"; };
  throw error(error_kind::shape,
              std::string{call} + ": weights " + text(out, in) + " between inputs " +
                  text(narrow.template size<tokens>(), narrow.row_size()) + " and outputs " +
                  text(wide.template size<tokens>(), wide.row_size()) + " for " + std::to_string(rows) + " rows",
              "inputs are [rows, in_features], outputs [rows, out_features], weights [out_features, in_features]");
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
