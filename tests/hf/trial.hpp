// SPDX-License-Identifier: Apache-2.0
// Runs a stored model on thread ranks of this process, as hf_forward does.
#pragma once

#include "hf/compare.hpp"
#include "hf/job.hpp"
#include <cstdlib>
#include <string>
#include <vector>

namespace trial {

inline std::string golden() {
  char const* const moved = std::getenv("HEDDLE_GOLDEN_DIR");
  return moved != nullptr ? moved : HEDDLE_GOLDEN_DIR;
}

/// A model folder of tests/golden, with its tokens and logits.
struct subject {
  explicit subject(std::string const& name)
      : whole{hf::open_model(golden() + "/models/" + name)},
        tokens{hf::read_tokens(whole.folder + "/tokens.safetensors", whole.settings.vocab)},
        logits{hf::stored_logits(whole, tokens).value()} {}
  hf::model whole;
  hf::batch tokens;
  std::vector<float> logits;
};

/// Runs `on` with these choices. Where ranks fail, the outcome is empty and the error is on stderr.
inline hf::outcome run(subject const& on, hf::choice chosen, hf::batch const& tokens) {
  hf::outcome result;
  if (chosen.threads == 0) chosen.threads = 1;
  hf::grid_type grid;
  heddle::checkpoint::shard_store store;
  static_cast<void>(hf::run_ranks(
      {.ranks = chosen.ranks}, [&] { grid = hf::grid_of(chosen, on.whole.settings); },
      [&](hf::communicator& world) {
        hf::outcome mine = hf::run_rank(world, on.whole, chosen, grid, tokens, store, false);
        if (world.rank() == 0) result = std::move(mine);
      }));
  return result;
}
inline hf::outcome run(subject const& on, hf::choice const& chosen) { return run(on, chosen, on.tokens); }

/// Every W, A, B, C that fits the model.
inline std::vector<hf::choice> meshes(hf::config const& model) {
  std::vector<hf::choice> all;
  for (int ranks : {1, 2, 3, 4, 5, 6, 7, 8}) {
    for (int tp = 1; tp <= ranks; ++tp) {
      if (ranks % tp != 0 || model.heads % tp != 0 || model.kv_heads % tp != 0) continue;
      for (int ep = 1; ep <= ranks; ++ep) {
        for (int etp = 1; ep * etp <= ranks; ++etp) {
          if (ranks % (ep * etp) == 0) all.push_back({.ranks = ranks, .tp = tp, .ep = ep, .etp = etp});
        }
      }
    }
  }
  return all;
}

inline std::string text_of(hf::choice const& is) {
  constexpr char const* dispatchers[] = {"masked", "all_gather", "all_to_all"};
  return "W" + std::to_string(is.ranks) + " A" + std::to_string(is.tp) + " B" + std::to_string(is.ep) + " C" +
         std::to_string(is.etp) + " " + dispatchers[static_cast<int>(is.dispatcher)] +
         (is.expert == hf::expert_kind::grouped ? " grouped" : " sequential") + " threads " +
         std::to_string(is.threads);
}

}  // namespace trial
