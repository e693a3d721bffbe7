// SPDX-License-Identifier: Apache-2.0
// The terms of a router's losses at run time, one after the other.
#pragma once

#include <heddle/layer/token_sums.hpp>
#include <heddle/router/losses.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// A list of a report or of inputs as a kernel reads it.
[[nodiscard]] inline per_row<double const> as_list(std::span<double const> list) {
  return {list.data(), extents<tokens>{static_cast<index_t>(list.size())}};
}
[[nodiscard]] inline per_row<double const, device_memory> as_list(per_row<double const, device_memory> list) {
  return list;
}
/// What a kernel has written as a report holds it.
template <class Memory>
[[nodiscard]] typename told<Memory>::list as_told(per_row<double const, Memory> list) {
  if constexpr (of_host<Memory>) return {list.data(), static_cast<std::size_t>(list.count())};
  else return list;
}
/// Where a kernel is to write a number of the report.
template <class Frame>
[[nodiscard]] per_row<double, typename Frame::memory> place_of(Frame& frame,
                                                               typename told<typename Frame::memory>::number& number) {
  extents<tokens> const one{1};
  if constexpr (of_host<typename Frame::memory>) {
    return {&number, one};
  } else {
    per_row<double, typename Frame::memory> const place{frame.template scratch<double>(1).data(), one};
    number = place;
    return place;
  }
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
    using memory = typename Frame::memory;
    per_row<double, memory> const all{sums.data(), extents<tokens>{2}};
    frame.report.z_sums = all;
    frame.launch(
        kernel::conclude_z<memory>{.sums = all, .coeff = coefficient(frame), .loss = place_of(frame, frame.report.z)},
        1);
  }
  template <class Frame, class Real, class Memory>
  static void grad(Frame& frame, rows<Real const, Memory> logits, rows<Real, Memory> dlogits) {
    frame.launch(kernel::z_grad<Real, Memory>{.logits = logits,
                                              .padding = frame.inputs.padding,
                                              .coeff = coefficient(frame) * frame.weights().options.loss_scale,
                                              .tokens = frame.report.z_sums.data() + 1,
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
    kernel::balance_sums<Real, Memory> const kernel{
        .p = p,
        .ids = ids,
        .padding = padding,
        .first_token = own.begin,
        .length = own.size,
        .sums = table<double, Memory>(sums.data(), sums.size(), kernel::balance_columns(logits.row_size()))};
    frame.launch(kernel, kernel.pieces());
  }
  template <class Frame>
  static void conclude(Frame& frame, index_t experts, std::span<double> sums) {
    using memory = typename Frame::memory;
    auto const all = table<double, memory>(sums.data(), sums.size(), kernel::balance_columns(experts));
    auto const slopes = frame.template scratch_rows<double>(all.shape()[0], experts);
    auto const before = as_list(frame.inputs.history);
    per_row<double, memory> history{};
    if (before.count() > 0) history = {frame.template scratch<double>(experts).data(), extents<tokens>{experts}};
    auto& report = frame.report;
    report.history = as_told<memory>(history);
    report.slopes = as_told<memory>(per_row<double, memory>{slopes.data(), extents<tokens>{slopes.count()}});
    frame.launch(kernel::conclude_balance<memory>{.sums = all,
                                                  .k = top_k(frame),
                                                  .coeff = coefficient(frame),
                                                  .scale = Scale,
                                                  .loss_scale = frame.weights().options.loss_scale,
                                                  .before = before,
                                                  .steps = frame.inputs.history_steps + 1,
                                                  .history = history,
                                                  .slopes = slopes,
                                                  .loss = place_of(frame, report.aux)},
                 1);
  }
  template <class Frame, class Real, class Memory>
  static void grad(Frame& frame, rows<Real const, Memory> logits, rows<Real, Memory> dlogits) {
    range const own = block(frame, logits.shape()[0]);
    auto const slopes = as_list(frame.report.slopes);
    auto const height = static_cast<std::size_t>(slopes.count());
    frame.launch(kernel::balance_grad<Score, Real, Memory>{.logits = logits,
                                                           .padding = frame.inputs.padding,
                                                           .first_token = own.begin,
                                                           .length = own.size,
                                                           .slopes = table<double const, Memory>(slopes.data(), height,
                                                                                                 logits.row_size()),
                                                           .dlogits = dlogits},
                 logits.shape()[0]);
  }

 private:
  template <class Number, class Memory>
  static rows<Number, Memory> table(Number* numbers, std::size_t count, index_t width) {
    return {numbers, extents<tokens, hidden>{static_cast<index_t>(count) / width, width}};
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
    index_t const history = as_list(frame.inputs.history).count();
    if (history == 0 || (!of_sequences && history == experts)) return;
    throw error(error_kind::argument,
                "a history of " + std::to_string(history) + " counts for " + std::to_string(experts) + " experts" +
                    (of_sequences ? ", balanced over sequences" : ""),
                "give one count for each expert, and balance over tokens");
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
