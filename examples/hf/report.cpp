// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "compare.hpp"
#include <cstdio>

namespace hf {

void print_plan(model const&, choice const&, grid_type const&, batch const&, bool) {}

void print_outcome(model const& whole, choice const&, batch const& tokens, std::string const&, outcome const& done) {
  std::printf("%.1f tokens/s\n", static_cast<double>(tokens.ids.size()) / done.seconds);
  if (auto const theirs = stored_logits(whole, tokens)) {
    difference const apart = difference_of(done.logits, *theirs);
    std::printf("max difference %.3g (%.3g of the largest logit), relative L2 %.3g\n", apart.largest, apart.of_largest_logit, apart.relative_l2);
  }
}

}  // namespace hf
