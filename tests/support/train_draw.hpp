// SPDX-License-Identifier: Apache-2.0
// A random member of the compiled policies on random ranks with random numbers, all of it from one seed.
#pragma once

#include "train_step.hpp"

namespace train {

/// Odd circumstances of a step.
enum class oddity { none, all_to_one, ties, no_number };

/// Whether nothing that is decided hangs on rounding.
[[nodiscard]] inline bool is_clear(member const& of) {
  double const least = of.wide ? 1e-9 : 1e-5;
  oracle::result const is = oracle::run_layer(of.layer, of.chunks());
  return (of.ties ? is.untied_margin : is.margin) >= least && is.kink >= least;
}

class drawing {
 public:
  explicit drawing(std::uint64_t seed) : with_{seed} { of_.seed = seed; }

  /// Draws until nothing that is decided hangs on rounding.
  member result() {
    do {
      once();
    } while (!is_clear(of_));
    return of_;
  }

 private:
  template <class Value, std::size_t Count>
  Value one_of(Value const (&values)[Count]) {
    return values[with_.roll(Count)];
  }
  int divisor_of(int number) {
    int result = 1 + static_cast<int>(with_.roll(number));
    while (number % result != 0) --result;
    return result;
  }

  void once() {
    // A hundred and twenty-eight numbers in a row have every expert in both types.
    of_.expert = static_cast<int>(of_.seed % experts_compiled);
    of_.wide = of_.seed / experts_compiled % 2 == 0;
    of_.ranks = one_of({1, 2, 3, 4, 6, 8});
    of_.ep = divisor_of(of_.ranks);
    of_.etp = divisor_of(of_.ranks / of_.ep);
    if (with_.one_in(2)) std::swap(of_.ep, of_.etp);
    of_.dispatcher = static_cast<int>(with_.roll(dispatchers));
    of_.delayed = with_.one_in(2);
    of_.threads = with_.one_in(4) ? 2 : 1;
    of_.tiles = with_.one_in(3);
    oracle::sizes sizes = oracle::drawn_sizes(with_);
    oracle::settings is = oracle::drawn_settings(with_, sizes);
    fit(sizes, is);
    deal(sizes.tokens, is);
    oddity const odd =
        one_of({oddity::none, oddity::none, oddity::none, oddity::all_to_one, oddity::ties, oddity::no_number});
    if (odd == oddity::all_to_one) sizes.expert_bias = true;
    if (odd == oddity::no_number) {
      // Nobody chooses a logit that is no number while there are others, and it has no part but in losses. But where a
      // softmax comes before the choice no score of the token is a number, and the first experts are its choice.
      sizes.router_bias = true;
      // Without columns the weight may stand before or behind an empty sum, which is a number or none.
      sizes.width = std::max(sizes.width, block_of(of_.activation().packed));
      sizes.experts = std::max<index_t>(sizes.experts, 2);
      if (is.top_k == sizes.experts) --is.top_k;
      if (is.score == oracle::score_kind::softmax && jumps(is)) is.post = true;
      if (!with_.one_in(4)) is.aux_loss_coeff = is.z_loss_coeff = std::nullopt;
    }
    of_.layer = oracle::filled(sizes, is, with_.seed());
    of_.ties = odd == oddity::ties;
    if (of_.ties) tie();
    auto const some_expert = oracle::at(with_.roll(sizes.experts));
    if (odd == oddity::all_to_one) of_.layer.tensors["expert_bias"].data[some_expert] = 64;
    if (odd == oddity::no_number) lose_a_number(some_expert);
  }

  /// Sizes and settings as the expert and the dispatcher want them.
  void fit(oracle::sizes& sizes, oracle::settings& is) {
    expert_member const expert = of_.is();
    is.activation = of_.activation().kind;
    is.interleaved = false;  // the policy's own layout is a matter of storage
    is.weight_at_input = expert.at == heddle::weight_at::input;
    sizes.biases = expert.has.bias;
    sizes.shared_gate = shared_is_gated(expert.family);
    index_t const block = block_of(of_.activation().packed);
    sizes.width = sizes.width / block * block;
    sizes.shared = std::max(block, sizes.shared / block * block);
    if (of_.everywhere()) {
      // Losses and shared experts take tokens that are dealt.
      sizes.shared_expert = false;
      is.aux_loss_coeff = is.z_loss_coeff = std::nullopt;
    }
    if (with_.one_in(6)) is.identity = 1 + with_.roll(sizes.experts);
  }

  /// Tokens in chunks: even ones where capacities are counted in them, else of any size.
  void deal(index_t tokens, oracle::settings const& is) {
    of_.dense = with_.one_in(4) && !of_.everywhere();
    of_.tp = of_.dense && !is.capacity_factor ? divisor_of(of_.ranks) : 1;
    int const chunks = of_.everywhere() ? of_.ranks / of_.ep / of_.etp : of_.ranks / of_.tp;
    of_.cuts = {0};
    bool const even = is.capacity_factor || with_.one_in(2);
    for (int c = 0; c < chunks; ++c) {
      of_.cuts.push_back(even ? of_.cuts.back() + tokens / chunks + (c < tokens % chunks ? 1 : 0)
                              : with_.roll(tokens + 1));
    }
    of_.cuts.back() = tokens;
    std::sort(of_.cuts.begin(), of_.cuts.end());
  }

  /// Whether the slope of the activation jumps: none is right where it meets no number.
  static bool jumps(oracle::settings const& is) {
    using oracle::activation_kind;
    return is.activation == activation_kind::relu || is.activation == activation_kind::squared_relu ||
           is.activation == activation_kind::gpt_oss;
  }
  /// A logit of every token; or a number of one token, which must spoil nothing of its neighbours.
  void lose_a_number(std::size_t expert) {
    constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
    auto& tensors = of_.layer.tensors;
    index_t const token = with_.roll(of_.layer.tokens() + 1);
    if (token == of_.layer.tokens() || !of_.layer.valid(token) || jumps(of_.layer.is) || with_.one_in(2))
      tensors["router.bias"].data[expert] = no_number;
    else oracle::row(tensors["hidden"], token)[0] = no_number;
  }

  /// Numbers whose products and sums are exact, and experts with the same ones.
  void tie() {
    for (char const* const name : {"hidden", "router.weight", "router.bias", "expert_bias"}) {
      auto const found = of_.layer.tensors.find(name);
      if (found == of_.layer.tensors.end()) continue;
      for (double& value : found->second.data) value = std::round(4 * value) / 4;
      if (name == std::string{"hidden"}) continue;
      index_t const experts = found->second[0];
      auto& data = found->second.data;
      auto const width = static_cast<std::ptrdiff_t>(data.size()) / experts;
      for (index_t e = 1; e < experts; e += 2)
        std::copy_n(data.begin() + (e - 1) * width, width, data.begin() + e * width);
    }
  }

  oracle::dice with_;
  member of_{};
};

[[nodiscard]] inline member drawn(std::uint64_t seed) { return drawing{seed}.result(); }

}  // namespace train
