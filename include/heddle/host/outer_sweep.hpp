// SPDX-License-Identifier: Apache-2.0
// The blocks of a weight gradient that threads take one by one: each holds all tokens of its expert.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Some rows and columns of the gradient of one expert, and the expert's tokens.
struct outer_block {
  index_t expert = 0;
  index_t token = 0;  ///< the first one, counted over all experts
  index_t tokens = 0;
  index_t out = 0;
  index_t outs = 0;
  index_t in = 0;
  index_t ins = 0;
};

/// Cuts the gradients [E, out, in] of the experts that have tokens into blocks of at most `outs` by `ins`. The sum over
/// tokens is never divided, so threads do not change its order.
class outer_sweep {
 public:
  /// Rewrites the list. `counts[e]` tokens each, none negative.
  void plan(std::span<index_t const> counts, index_t out, index_t in, index_t outs_of_block, index_t ins_of_block) {
    groups_.clear();
    groups_.reserve(counts.size());  // what later counts need, too
    index_t token = 0;
    for (std::size_t e = 0; e < counts.size(); token += counts[e++]) {
      if (counts[e] > 0) groups_.push_back({static_cast<index_t>(e), token, counts[e]});
    }
    out_ = out;
    in_ = in;
    outs_ = outs_of_block;
    ins_ = ins_of_block;
    lines_ = (out + outs_ - 1) / outs_;
    columns_ = (in + ins_ - 1) / ins_;
  }
  /// The number of blocks.
  [[nodiscard]] index_t size() const { return static_cast<index_t>(groups_.size()) * lines_ * columns_; }

  [[nodiscard]] outer_block operator[](index_t i) const {
    group const& mine = groups_[static_cast<std::size_t>(i / (lines_ * columns_))];
    index_t const out = i / columns_ % lines_ * outs_;
    index_t const in = i % columns_ * ins_;
    return {.expert = mine.expert,
            .token = mine.token,
            .tokens = mine.tokens,
            .out = out,
            .outs = outs_ < out_ - out ? outs_ : out_ - out,
            .in = in,
            .ins = ins_ < in_ - in ? ins_ : in_ - in};
  }

 private:
  struct group {
    index_t expert, token, tokens;
  };
  std::vector<group> groups_;  // experts that have tokens
  index_t out_ = 0;
  index_t in_ = 0;
  index_t outs_ = 1;
  index_t ins_ = 1;
  index_t lines_ = 0;
  index_t columns_ = 0;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
