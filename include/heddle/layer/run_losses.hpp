// SPDX-License-Identifier: Apache-2.0
// What losses of a router do at run time: every term sums over this rank's tokens, one message a group adds up all
// sums, and every rank concludes the same.
#pragma once

#include <heddle/layer/run_choose.hpp>
#include <heddle/router/losses.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Frame, class... Groups, class... States>
void sum_over(Frame& frame, placement<on<Groups, States>...>, [[maybe_unused]] std::span<double> sums) {
  (frame.template communicator<Groups>().all_reduce(sums), ...);
}

/// One term: how many sums it takes, the sums of this rank's tokens, what follows from the sums of all, and its
/// gradient.
template <class Term>
struct loss_part;

template <>
struct loss_part<z_loss> {
  template <class Tokens, class Frame, class Logits>
  static index_t columns(Frame& frame, Logits const&) {
    return frame.weights().options.z_coeff == 0 ? 0 : 2;
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
    frame.report.z = kernel::z_loss({sums.data(), extents<tokens>{2}}, frame.weights().options.z_coeff);
    frame.report.z_tokens = sums[1];
  }
  template <class Frame, class Real, class Memory>
  static void grad(Frame& frame, rows<Real const, Memory> logits, rows<Real, Memory> dlogits) {
    auto const& options = frame.weights().options;
    frame.launch(kernel::z_grad<Real, Memory>{.logits = logits,
                                              .padding = frame.inputs.padding,
                                              .coeff = options.z_coeff * options.loss_scale,
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
  template <class Tokens, class Frame, class Logits>
  static index_t columns(Frame& frame, Logits const& logits) {
    if (frame.weights().options.aux_coeff == 0) return 0;
    kernel::check_top_k(top_k(frame), logits.row_size());
    check_history(frame, logits.row_size());
    index_t blocks = 1;
    if constexpr (of_sequences) {
      auto const height = frame.template scratch<double>(1);
      height[0] = static_cast<double>(logits.shape()[0]);
      sum_over(frame, Tokens{}, height);
      auto const all = static_cast<index_t>(height[0]);
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
    auto const& options = frame.weights().options;
    auto const all = table(sums, kernel::balance_columns(experts));
    auto const slopes = frame.template scratch_rows<double>(all.shape()[0], experts);
    if (auto const& history = frame.inputs.history; !history.empty()) {
      auto const counts = frame.template scratch<double>(experts);
      std::copy(history.begin(), history.end(), counts.begin());
      kernel::average_counts(all, counts, frame.inputs.history_steps + 1);
      frame.report.history = counts;
    }
    frame.report.aux = kernel::balance_loss(all, top_k(frame), options.aux_coeff, Scale, slopes);
    for (index_t i = 0; i < slopes.count(); ++i) slopes.data()[i] *= options.loss_scale;
    frame.report.slopes = {slopes.data(), static_cast<std::size_t>(slopes.count())};
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

// -- losses | losses_grad

template <class Tokens, class... Terms, class Frame, class Real, class Memory>
auto run(losses<Tokens, Terms...>, Frame& frame, activation<Real, Memory> logits) {
  rows<std::remove_const_t<Real> const, Memory> const x = logits.data;
  detail::check_padding(frame, x.shape()[0]);
  frame.report.aux = frame.report.z = 0;
  // Braces keep the order of the terms, which is the order of what ranks say to each other.
  std::array<index_t, sizeof...(Terms)> const columns{detail::loss_part<Terms>::template columns<Tokens>(frame, x)...};
  index_t total = 0;
  for (index_t const count : columns) total += count;
  if (total == 0) return logits;
  auto const sums = frame.template scratch<double>(total);
  auto const each = [&](auto const& visit) {
    std::size_t term = 0, begin = 0;
    auto const one = [&](auto part) {
      auto const count = static_cast<std::size_t>(columns[term++]);
      if (count > 0) visit(part, sums.subspan(begin, count));
      begin += count;
    };
    (one(detail::loss_part<Terms>{}), ...);
  };
  each([&](auto part, std::span<double> own) { part.sum(frame, x, own); });
  detail::sum_over(frame, Tokens{}, sums);
  each([&](auto part, std::span<double> all) { part.conclude(frame, x.row_size(), all); });
  return logits;
}

template <class Tokens, class... Terms, class Frame, class X, class Real, class Memory>
auto run(losses_grad<Tokens, Terms...>, Frame& frame, kept<activation<X, Memory>> const& saved,
         activation<Real, Memory> dlogits) {
  rows<std::remove_const_t<Real> const, Memory> const logits = std::get<0>(saved.values).data;
  auto const y = detail::writable(frame, dlogits);
  auto const& options = frame.weights().options;
  auto const add = [&]<class Term>(Term) {
    constexpr bool of_size = std::same_as<Term, z_loss>;
    if ((of_size ? options.z_coeff : options.aux_coeff) != 0) detail::loss_part<Term>::grad(frame, logits, y.data);
  };
  (add(Terms{}), ...);
  return y;
}

}  // namespace heddle::inline HEDDLE_ABI
