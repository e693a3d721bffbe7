// SPDX-License-Identifier: Apache-2.0
#include "choice.hpp"

#include <algorithm>

namespace hf {

namespace {

using heddle::error;
using heddle::error_kind;

void check_positive(char const* name, int value) {
  if (value < 1)
    throw error(error_kind::argument, std::string{name} + " is " + std::to_string(value), "use a number of at least 1");
}

/// The sizes that divide all of the counts.
std::string fitting(std::initializer_list<index_t> counts) {
  std::string list;
  for (index_t size = 1; size <= std::min(counts); ++size) {
    bool fits = true;
    for (index_t count : counts) fits = fits && count % size == 0;
    if (fits) list.append(list.empty() ? "" : ", ").append(std::to_string(size));
  }
  return list;
}

/// tp must divide the ranks and both counts of heads, whichever of them fails first.
void check_tp(choice const& chosen, config const& model) {
  std::string const size = std::to_string(chosen.tp);
  std::string const hint = "use --tp " + fitting({chosen.ranks, model.heads, model.kv_heads});
  if (chosen.ranks % chosen.tp != 0)
    throw error(error_kind::shape, "--tp " + size + " does not divide the " + std::to_string(chosen.ranks) + " ranks",
                hint);
  for (auto const& [count, what] : {std::pair{model.heads, " attention heads"}, {model.kv_heads, " key-value heads"}}) {
    if (count % chosen.tp != 0)
      throw error(error_kind::shape, std::to_string(count) + what + " do not divide by --tp = " + size, hint);
  }
}

}  // namespace

grid_type grid_of(choice const& chosen, config const& model) {
  constexpr int most_ranks = 64;
  check_positive("--ranks", chosen.ranks);
  check_positive("--tp", chosen.tp);
  check_positive("--ep", chosen.ep);
  check_positive("--etp", chosen.etp);
  if (chosen.ranks > most_ranks) {
    throw error(error_kind::argument, "--ranks is " + std::to_string(chosen.ranks),
                "use 1 to " + std::to_string(most_ranks));
  }
  check_tp(chosen, model);
  long const cell = static_cast<long>(chosen.ep) * chosen.etp;
  if (chosen.ranks % cell != 0) {
    // The hint keeps one of the two sizes, and where neither fits takes --ep as 1.
    int const kept = chosen.ranks % chosen.ep == 0 ? chosen.ep : 1;
    throw error(error_kind::shape,
                "--ep " + std::to_string(chosen.ep) + " times --etp " + std::to_string(chosen.etp) + " is " +
                    std::to_string(cell) + ", which does not divide the " + std::to_string(chosen.ranks) + " ranks",
                chosen.ranks % chosen.etp == 0
                    ? "with --etp " + std::to_string(chosen.etp) + " use --ep " + fitting({chosen.ranks / chosen.etp})
                    : "with --ep " + std::to_string(kept) + " use --etp " + fitting({chosen.ranks / kept}));
  }
  return {heddle::dense_mesh{chosen.tp, chosen.ranks / chosen.tp},
          heddle::expert_mesh{chosen.etp, chosen.ep, static_cast<int>(chosen.ranks / cell)}};
}

}  // namespace hf
