// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include "compare.hpp"
#include "job.hpp"
#include "report.hpp"
#include <cstdio>
#include <filesystem>
#include <heddle/checkpoint/write.hpp>
#include <optional>
#include <thread>
#include <unistd.h>

namespace hf {

namespace {

/// Everything a run needs, checked before a byte is sent.
struct prepared {
  model whole;
  grid_type grid;
  batch tokens;
};

/// The file the user named, or the one in the model folder.
std::string tokens_path(options const& given) {
  if (!given.tokens.empty()) return given.tokens;
  std::string const beside = given.model + "/tokens.safetensors";
  if (::access(beside.c_str(), F_OK) == 0) return beside;
  throw heddle::error(heddle::error_kind::argument, "there are no tokens to run on",
                      "give --tokens FILE, a safetensors file with input_ids I64 [batch, length]");
}

prepared prepare(options const& given, choice& chosen) {
  if (given.problem) std::rethrow_exception(given.problem);
  model whole = open_model(given.model);
  grid_type const grid = grid_of(chosen, whole.settings);
  batch tokens = read_tokens(tokens_path(given), whole.settings.vocab);
  if (!given.out.empty()) {
    // A file cannot take the name of a folder, which renaming would say only after the run.
    std::error_code unknown;
    if (std::filesystem::is_directory(given.out, unknown)) heddle::checkpoint::fail_io("write", given.out, EISDIR);
    heddle::checkpoint::atomic_file const can_be_written{given.out};
  }
  if (chosen.threads == 0) {
    int const machine = static_cast<int>(std::thread::hardware_concurrency());
    chosen.threads = machine > chosen.ranks ? machine / chosen.ranks : 1;
  }
  return {std::move(whole), grid, std::move(tokens)};
}

void write_logits(std::string const& path, batch const& tokens, index_t vocab, std::vector<float> const& logits) {
  heddle::checkpoint::tensor_entry const entry{.name = "logits",
                                               .type = heddle::dtype::f32,
                                               .shape = {tokens.sequences, tokens.length, vocab},
                                               .bytes = std::as_bytes(std::span{logits})};
  heddle::checkpoint::write(path, std::span{&entry, 1});
}

}  // namespace

int run_program(options const& given) {
  if (given.exit_code >= 0) return given.exit_code;
  choice chosen = given.chosen;
  world_options const world{.transport = chosen.transport, .ranks = chosen.ranks, .deadline = chosen.longest_wait()};
  std::optional<prepared> run;
  heddle::checkpoint::shard_store store;
  return run_ranks(
      world, [&] { run.emplace(prepare(given, chosen)); },
      [&](communicator& rank) {
        bool const first = rank.rank() == 0;
        if (first) print_plan(run->whole, chosen, run->grid, run->tokens, given.describe);
        outcome const done = run_rank(rank, run->whole, chosen, run->grid, run->tokens, store, true);
        // Rank 0 alone writes; the others hear whether it could.
        rank.agree([&] {
          if (first && !given.out.empty()) write_logits(given.out, run->tokens, run->whole.settings.vocab, done.logits);
        });
        if (first) print_outcome(run->whole, chosen, run->grid, run->tokens, done);
      });
}

}  // namespace hf
