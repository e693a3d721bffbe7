// SPDX-License-Identifier: Apache-2.0
// The terms of a router's losses at run time, one after the other.
#pragma once

#include <heddle/core/spans.hpp>
#include <heddle/layer/token_sums.hpp>
#include <heddle/router/losses.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Work on a few numbers, which is no work in a step without data.
template <class Frame, class Work>
void on_host(Frame& frame, Work const& work) {
  frame.launch([&work](auto const&, index_t) { work(); }, 1);
}

/// One term: how many sums it takes, the sums of this rank's tokens, what follows from the sums of all, and its
/// gradient.
template <class Term>
struct loss_part;

template <>
struct loss_part<z_loss> {
  template <class Frame>
  static double coefficient(Frame& frame) {
    return frame.weights().options.z_coeff;
  }
  template <class Tokens, class Frame, class Logits>
  static index_t columns(Frame&, Logits const&) {
    return 2;
  }
  template <class Frame, class Real, class Memory>
  static void sum(Frame& frame, rows<Real const, Memory> logits, std::span<double> sums) {
    extents<tokens> const height{logits.shape()[0]};
    per_row<Real, Memory> const terms{frame.template scratch<Real>(height.count()).data(), height};
    auto const& padding = frame.inputs.padding;
    frame.launch(kernel::z_terms<Real, Memory>{.logits = logits, .padding = padding, .terms = terms}, height.count());
    kernel::z_sums<Real, Memory> const kernel{
        .terms = terms, .padding = padding, .sums = {sums.data(), extents<tokens>{2}}};
    frame.launch(kernel, 1);
  }
  template <class Frame>
  static void conclude(Frame& frame, index_t, std::span<double> sums) {
    auto& report = frame.report;
    on_host(frame, [&report, sums, coeff = coefficient(frame)] {
      report.z = kernel::z_loss({sums.data(), extents<tokens>{2}}, coeff);
      report.z_tokens = sums[1];
    });
  }
  template <class Frame, class Real, class Memory>
  static void grad(Frame& frame, rows<Real const, Memory> logits, rows<Real, Memory> dlogits) {
    frame.launch(kernel::z_grad<Real, Memory>{.logits = logits,
                                              .padding = frame.inputs.padding,
                                              .coeff = coefficient(frame) * frame.weights().options.loss_scale,
                                              .tokens = frame.report.z_tokens,
                                              .dlogits = dlogits},
                 logits.shape()[0]);
  }
};

template <class Score, balance_scale Scale, balance_over Over, int TopK>
struct loss_part<aux_loss<Score, Scale, Over, TopK>> {
  static constexpr bool of_sequences = Over == balance_over::sequences;

  template <class Frame>
  static index_t top_k(Frame& frame) {
    return TopK == static_cast<int>(dynamic) ? frame.weights().top_k : TopK;
  }
  /// The number of this rank's first token, and the tokens of a block: all, or a sequence.
  template <class Frame>
  static range block(Frame& frame, index_t height) {
    if constexpr (of_sequences) return {frame.inputs.first_token, frame.weights().options.sequence_length};
    else return {0, height > 0 ? height : 1};
  }
  template <class Frame>
  static double coefficient(Frame& frame) {
    return frame.weights().options.aux_coeff;
  }
  template <class Tokens, class Frame, class Logits>
  static index_t columns(Frame& frame, Logits const& logits) {
    kernel::check_top_k(top_k(frame), logits.row_size());
    check_history(frame, logits.row_size());
    index_t blocks = 1;
    if constexpr (of_sequences) {
      auto const count = frame.counts(1);
      count[0] = logits.shape()[0];
      sum_over(frame, Tokens{}, count);
      index_t const all = count[0];
      check_place(frame.inputs.first_token, logits.shape()[0], all);
      blocks = kernel::sequence_blocks(all, frame.weights().options.sequence_length);
    }
    return blocks * kernel::balance_columns(logits.row_size());
  }
  template <class Frame, class Real, class Memory>
  static void sum(Frame& frame, rows<Real const, Memory> logits, std::span<double> sums) {
    index_t const height = logits.shape()[0];
    extents<tokens, slots> const shape{height, top_k(frame)};
    slot_view<std::int32_t, Memory> const ids{frame.template scratch<std::int32_t>(shape.count()).data(), shape};
    auto const p = frame.template scratch_rows<Real>(height, logits.row_size());
    auto const& padding = frame.inputs.padding;
    frame.launch(kernel::balance_scores<Score, Real, Memory>{.logits = logits, .p = p, .ids = ids, .padding = padding},
                 height);
    range const own = block(frame, height);
    kernel::balance_sums<Real, Memory> const kernel{.p = p,
                                                    .ids = ids,
                                                    .padding = padding,
                                                    .first_token = own.begin,
                                                    .length = own.size,
                                                    .sums = table(sums, kernel::balance_columns(logits.row_size()))};
    frame.launch(kernel, kernel.pieces());
  }
  template <class Frame>
  static void conclude(Frame& frame, index_t experts, std::span<double> sums) {
    auto const all = table(sums, kernel::balance_columns(experts));
    auto const slopes = frame.template scratch_rows<double>(all.shape()[0], experts);
    auto const& inputs = frame.inputs;
    std::span<double> const counts =
        inputs.history.empty() ? std::span<double>{} : frame.template scratch<double>(experts);
    auto& report = frame.report;
    report.history = counts;
    report.slopes = {slopes.data(), static_cast<std::size_t>(slopes.count())};
    on_host(frame, [&, k = top_k(frame), coeff = coefficient(frame), scale = frame.weights().options.loss_scale] {
      if (!counts.empty()) {
        copy_all(inputs.history, counts);
        kernel::average_counts(all, counts, inputs.history_steps + 1);
      }
      report.aux = kernel::balance_loss(all, k, coeff, Scale, slopes);
      for (index_t i = 0; i < slopes.count(); ++i) slopes.data()[i] *= scale;
    });
  }
  template <class Frame, class Real, class Memory>
  static void grad(Frame& frame, rows<Real const, Memory> logits, rows<Real, Memory> dlogits) {
    range const own = block(frame, logits.shape()[0]);
    frame.launch(kernel::balance_grad<Score, Real, Memory>{.logits = logits,
                                                           .padding = frame.inputs.padding,
                                                           .first_token = own.begin,
                                                           .length = own.size,
                                                           .slopes = table(frame.report.slopes, logits.row_size()),
                                                           .dlogits = dlogits},
                 logits.shape()[0]);
  }

 private:
  template <class Number>
  static rows<Number> table(std::span<Number> numbers, index_t width) {
    return {numbers.data(), extents<tokens, hidden>{static_cast<index_t>(numbers.size()) / width, width}};
  }
  static void check_place(index_t first, index_t height, index_t all) {
    if (first >= 0 && first + height <= all) return;
    throw error(error_kind::argument,
                "tokens " + std::to_string(first) + " to " + std::to_string(first + height - 1) +
                    " are on this rank, and all ranks have " + std::to_string(all),
                "set first_token of the step's inputs on every rank");
  }
  template <class Frame>
  static void check_history(Frame& frame, index_t experts) {
    auto const& history = frame.inputs.history;
    if (history.empty() || (!of_sequences && static_cast<index_t>(history.size()) == experts)) return;
    throw error(error_kind::argument,
                "a history of " + std::to_string(history.size()) + " counts for " + std::to_string(experts) +
                    " experts" + (of_sequences ? ", balanced over sequences" : ""),
                "give one count for each expert, and balance over tokens");
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
