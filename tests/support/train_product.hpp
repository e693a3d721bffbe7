// SPDX-License-Identifier: Apache-2.0
// The product of the compiled policies and the ways to lay ranks out: which tuples there are, the part of them that
// meets in pairs, and a small step of each.
#pragma once

#include "train_draw.hpp"

#include <stdexcept>

namespace train {

/// So many ranks as etp x ep x edp.
struct layout {
  int ranks, ep, etp;
};
[[nodiscard]] inline std::vector<layout> layouts() {
  std::vector<layout> all;
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (int ep = 1; ep <= ranks; ++ep) {
      for (int etp = 1; ep * etp <= ranks; ++etp) {
        if (ranks % (ep * etp) == 0) all.push_back({ranks, ep, etp});
      }
    }
  }
  return all;
}

/// A rule of the router: score with its order and normalisation, and groups.
inline constexpr int routers_compiled = 28;
/// None, or one of three balance losses of the router's score.
inline constexpr int losses_compiled = 4;
/// None, or by one of two orders, with or without rows up to the capacity.
inline constexpr int drops_compiled = 5;

/// One tuple. `place` is that of the dispatcher among all; `turn` chooses what else there is.
struct combination {
  layout on;
  bool wide;
  int place, expert, router, loss, drop, turn;

  /// The one without losses is the last, so that what goes round before it meets all others.
  [[nodiscard]] int dispatcher() const { return place < 9 ? place : place == 9 ? 10 : 9; }
};

/// On every layout in both types: each dispatcher with each expert; each rule of the router with each loss and drop.
[[nodiscard]] inline std::vector<combination> whole_product() {
  std::vector<combination> all;
  int turn = 0;
  for (layout const& on : layouts()) {
    for (bool const wide : {true, false}) {
      for (int n = 0; n < dispatchers * experts_compiled; ++n) {
        int const rest = n / routers_compiled;
        all.push_back({on, wide, n / experts_compiled, n % experts_compiled, n % routers_compiled,
                       rest % losses_compiled, rest / losses_compiled % drops_compiled, turn++});
      }
    }
  }
  return all;
}

/// On every layout: each dispatcher with each place of the weight and each mode of the experts; each expert in both
/// types; any two of rule, loss and drop.
[[nodiscard]] inline std::vector<combination> covering_part() {
  std::vector<combination> all;
  int turn = 0;
  for (layout const& on : layouts()) {
    int n = 0;
    for (int place = 0; place < dispatchers; ++place) {
      for (int each = 0; each < 16; ++each, ++n) {  // place of the weight and mode: one of four experts that have both
        int const family = each / 4 * 4 + (place + each) % 4;
        int const router = n % routers_compiled;
        int const rest = n / routers_compiled;
        all.push_back({on, (place / 4 + each / 4 + each) % 2 == 0, place, 4 * family + each % 4, router,
                       (rest + router / 5) % losses_compiled, (rest + router) % drops_compiled, turn++});
      }
    }
  }
  return all;
}

/// The step of a tuple: sizes and numbers from its fields alone, drawn until nothing that is decided hangs on rounding.
class product_step {
 public:
  explicit product_step(combination const& of)
      : of_{of}, with_{static_cast<std::uint64_t>(of.turn) * 64 + static_cast<std::uint64_t>(of.router)} {}

  [[nodiscard]] member result() {
    is_.seed = static_cast<std::uint64_t>(of_.turn);
    is_.ranks = of_.on.ranks;
    is_.ep = of_.on.ep;
    is_.etp = of_.on.etp;
    is_.dispatcher = of_.dispatcher();
    is_.expert = of_.expert;
    is_.wide = of_.wide;
    is_.delayed = with_.one_in(2);
    is_.tiles = with_.one_in(4);
    is_.threads = with_.one_in(8) ? 2 : 1;
    oracle::settings const settings = drawn_settings();
    oracle::sizes const sizes = drawn_sizes();
    deal(sizes.tokens, settings);
    for (int attempt = 0; attempt < 1000; ++attempt) {
      is_.layer = oracle::filled(sizes, settings, with_.seed());
      if (is_clear(is_)) return is_;
    }
    throw std::runtime_error("no clear step of " + is_.text());
  }

 private:
  [[nodiscard]] oracle::settings drawn_settings() {
    using oracle::score_kind;
    constexpr score_kind scores[] = {score_kind::softmax,     score_kind::softmax, score_kind::softmax,
                                     score_kind::sigmoid,     score_kind::sigmoid, score_kind::sqrtsoftplus,
                                     score_kind::sqrtsoftplus};
    oracle::settings is;
    int const score = of_.router / 4;
    int const groups = of_.router % 4;
    is.score = scores[score];
    is.post = score == 2;
    is.normalize = score % 2 == 1;
    is.top_k = 2 + with_.roll(2);
    if (groups > 0) {
      is.groups = 3;
      is.groups_kept = 2;
      is.group_score = static_cast<oracle::group_kind>(groups - 1);
    }
    if (with_.one_in(2)) is.scale = 1.5;
    is.activation = is_.activation().kind;
    is.weight_at_input = is_.is().at == heddle::weight_at::input;
    if (of_.loss > 0 && !is_.everywhere()) {
      is.aux_loss_coeff = 0.5;
      is.aux_loss = static_cast<oracle::loss_kind>(of_.loss - 1);
      is.sequence_length = with_.one_in(2) ? 2 : 3;
      if (with_.one_in(2)) is.z_loss_coeff = 0.25;
    }
    if (of_.drop > 0) {
      is.capacity_factor = with_.one_in(2) ? 0.5 : 1;
      is.by_position = of_.drop > 2;
      is.pad_to_capacity = of_.drop % 2 == 0;
    }
    if (with_.one_in(3)) is.bias_update_rate = 0.125;
    is.zero_mean = with_.one_in(2);
    if (with_.one_in(4)) is.identity = 1 + with_.roll(2);
    return is;
  }
  [[nodiscard]] oracle::sizes drawn_sizes() {
    index_t const block = block_of(is_.activation().packed);
    return {.tokens = with_.one_in(2) ? 6 : 12,  // blocks of 2 or 3
            .hidden = 2 + with_.roll(3),
            .experts = 6,  // three groups
            .width = block * (1 + with_.roll(block > 1 ? 2 : 4)),
            .shared = block * (1 + with_.roll(2)),
            .router_bias = with_.one_in(2),
            .expert_bias = with_.one_in(2),
            .biases = is_.is().has.bias,
            .shared_expert = (of_.place + of_.expert + of_.turn / 2) % 2 == 0 && !is_.everywhere(),
            .shared_gate = shared_is_gated(is_.is().family),
            .padding = with_.one_in(4)};
  }
  /// A dense grid or none; tokens evenly where capacities are counted in chunks.
  void deal(index_t tokens, oracle::settings const& is) {
    std::vector<int> choices{0};
    for (int tp = 1; tp <= is_.ranks; ++tp) {
      if (is_.ranks % tp == 0) choices.push_back(tp);
    }
    int const chosen = is_.everywhere() ? 0 : choices[static_cast<std::size_t>(of_.turn) % choices.size()];
    is_.dense = chosen > 0;
    is_.tp = chosen > 0 && !is.capacity_factor ? chosen : 1;
    int const chunks = is_.everywhere() ? is_.ranks / is_.ep / is_.etp : is_.ranks / is_.tp;
    bool const even = is.capacity_factor || with_.one_in(2);
    is_.cuts = {0};
    for (int c = 1; c < chunks; ++c)
      is_.cuts.push_back(even ? tokens / chunks * c + std::min<index_t>(c, tokens % chunks) : with_.roll(tokens + 1));
    is_.cuts.push_back(tokens);
    std::sort(is_.cuts.begin(), is_.cuts.end());
  }

  combination of_;
  oracle::dice with_;
  member is_{};
};

}  // namespace train
