// SPDX-License-Identifier: Apache-2.0
#include "choice.hpp"

#include <heddle/plan/divide.hpp>

namespace hf {

namespace {

using heddle::error;
using heddle::error_kind;

void check_positive(char const* name, int value) {
  if (value < 1)
    throw error(error_kind::argument, std::string{name} + " is " + std::to_string(value), "use a number of at least 1");
}

/// The sizes by which all of the counts divide.
std::string fitting(std::initializer_list<index_t> counts) {
  std::string list;
  for (int size = 1; size <= *counts.begin(); ++size) {
    bool fits = true;
    for (index_t count : counts) fits = fits && count % size == 0;
    if (fits) list.append(list.empty() ? "" : ", ").append(std::to_string(size));
  }
  return list;
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
  if (chosen.ranks % chosen.tp != 0) {
    throw error(error_kind::shape,
                "--tp " + std::to_string(chosen.tp) + " does not divide the " + std::to_string(chosen.ranks) + " ranks",
                "use --tp " + fitting({chosen.ranks, model.heads, model.kv_heads}));
  }
  long const cell = static_cast<long>(chosen.ep) * chosen.etp;
  if (chosen.ranks % cell != 0) {
    bool const inner_fits = chosen.ranks % chosen.etp == 0;
    throw error(error_kind::shape,
                "--ep " + std::to_string(chosen.ep) + " times --etp " + std::to_string(chosen.etp) + " is " +
                    std::to_string(cell) + ", which does not divide the " + std::to_string(chosen.ranks) + " ranks",
                inner_fits
                    ? "with --etp " + std::to_string(chosen.etp) + " use --ep " + fitting({chosen.ranks / chosen.etp})
                    : "use --etp " + fitting({chosen.ranks}));
  }
  heddle::check_divides("attention heads", model.heads, "--tp", chosen.tp, chosen.ranks);
  heddle::check_divides("key-value heads", model.kv_heads, "--tp", chosen.tp, chosen.ranks);
  return {heddle::dense_mesh{chosen.tp, chosen.ranks / chosen.tp},
          heddle::expert_mesh{chosen.etp, chosen.ep, static_cast<int>(chosen.ranks / cell)}};
}

}  // namespace hf
