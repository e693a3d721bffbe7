// SPDX-License-Identifier: Apache-2.0
// moe_layer on ranks that are processes: the file it writes is that of ranks that are threads, byte for byte, and a
// mistake is said once.
#include "process.hpp"

#include "../support/oracle_draw.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <thread>

namespace {

using process::scratch;

struct tuple {
  int ranks;
  std::string arguments;
};

/// Every dispatcher with every expert and every place of the weight. The meshes go round, so that each dispatcher meets
/// each of them twice, and so do the ways to compute the backward pass.
std::vector<tuple> all_tuples() {
  constexpr char const* dispatchers[] = {"masked", "all_gather", "all_to_all", "all_to_all_dedup", "flex", "direct"};
  constexpr char const* experts[] = {"sequential", "grouped", "aligned"};
  constexpr char const* places[] = {"input", "activation", "output", "origin"};
  constexpr char const* more[] = {"", " --recompute", " --delay-wgrad", " --recompute --delay-wgrad"};
  struct mesh {
    int ranks, ep, etp;
  };
  constexpr mesh meshes[] = {{2, 2, 1}, {4, 2, 2}, {2, 1, 2}, {4, 4, 1}, {4, 1, 2}, {4, 2, 1}};
  std::vector<tuple> all;
  std::size_t number = 0;
  for (char const* const dispatcher : dispatchers) {
    for (char const* const expert : experts) {
      for (char const* const place : places) {
        mesh const& on = meshes[number % 6];
        all.push_back({on.ranks, "--ranks " + std::to_string(on.ranks) + " --ep " + std::to_string(on.ep) + " --etp " +
                                     std::to_string(on.etp) + " --dispatcher " + dispatcher + " --expert " + expert +
                                     " --weight-at " + place + more[(number / 3) % 4]});
        ++number;
      }
    }
  }
  return all;
}

/// "" where both ways write the same.
std::string unlike(tuple const& of, std::string const& in) {
  scratch const folder;
  std::string const run = "--in " + in + " " + of.arguments + " --out ";
  process::result const threads = process::moe_layer(run + folder.file("threads"));
  process::result const processes = process::under_mpirun(of.ranks, run + folder.file("processes"));
  if (threads.code != 0) return of.arguments + ": " + threads.err;
  if (processes.code != 0) return of.arguments + " between processes: " + processes.err;
  std::string const expected = process::text_of_file(folder.file("threads"));
  if (expected.size() < 1000) return of.arguments + ": a file of " + std::to_string(expected.size()) + " bytes";
  return expected == process::text_of_file(folder.file("processes")) ? "" : of.arguments + ": other bytes";
}

}  // namespace

TEST_CASE("processes write what threads write: every dispatcher, expert and place of the weight") {
  if (!process::has_mpi()) return;
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  oracle::sizes const sizes{.tokens = 9,
                            .experts = 5,
                            .shared = 2,
                            .expert_bias = true,
                            .biases = true,
                            .shared_expert = true,
                            .shared_gate = true,
                            .padding = true};
  oracle::settings const is{
      .top_k = 2, .capacity_factor = 1.5, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.5, .bias_update_rate = 0.1};
  process::input{oracle::filled(sizes, is, 23), heddle::dtype::f32}.write(in);
  auto const tuples = all_tuples();
  std::vector<std::string> problems(tuples.size(), "not run");
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> workers;  // most of a run is waiting
    for (int i = 0; i < 3; ++i) {
      workers.emplace_back([&] {
        for (std::size_t mine = next++; mine < tuples.size(); mine = next++) problems[mine] = unlike(tuples[mine], in);
      });
    }
  }
  CHECK(tuples.size() == 72);
  for (std::string const& problem : problems) CHECK(problem == "");
}

TEST_CASE("processes: a mistake is said once, and the job ends") {
  if (!process::has_mpi()) return;
  scratch const folder;
  oracle::layer const of = oracle::filled({}, {.top_k = 2}, 5);
  std::string const in = folder.file("in.safetensors");
  std::string const out = folder.file("out.safetensors");
  process::input broken{of, heddle::dtype::f32};
  broken.config = "{\"top_k\":9}";
  broken.write(in);
  auto const refused = [&](std::string const& arguments, std::string const& text) {
    process::result const done = process::under_mpirun(2, "--in " + in + " --out " + out + " " + arguments);
    CHECK(done.code == 1);
    REQUIRE_MESSAGE(done.lines().size() == 1, done.err);
    CHECK_MESSAGE(done.err.find(text) != std::string::npos, done.err);
    CHECK(!std::filesystem::exists(out));
  };
  refused("--ranks 2", "config.top_k is 9, the router has 4 experts");
  refused("--ranks 2 --ep 3", "which does not divide the 2 ranks");
  process::input{of, heddle::dtype::f32}.write(in);
  refused("--ranks 3", "--ranks is 3 and the job has 2 processes Fix: start it as mpirun -np 3");
}
