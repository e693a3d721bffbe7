// SPDX-License-Identifier: Apache-2.0
// Ranks that are processes: the same bits as ranks that are threads, and errors said once.
#include "process.hpp"

#include "trial.hpp"
#include <doctest/doctest.h>

namespace {

void same_bits(std::string const& arguments, int ranks) {
  if (!process::has_mpi()) return;
  process::scratch const folder;
  std::string const run = "--ranks " + std::to_string(ranks) + " " + arguments + " --out ";
  process::result const threads = process::hf_forward(run + folder.file("threads"));
  process::result const processes = process::under_mpirun(ranks, run + folder.file("mpi"));
  CHECK_MESSAGE(threads.code == 0, arguments, threads.err);
  CHECK_MESSAGE(processes.code == 0, arguments, processes.err);
  std::string const logits = process::text_of_file(folder.file("threads"));
  CHECK(logits.size() > 1000);
  CHECK_MESSAGE(logits == process::text_of_file(folder.file("mpi")), arguments);
}

std::string model(char const* name) { return "--model " + trial::golden() + "/models/" + name; }

void fails_once(int processes, std::string const& arguments, std::string const& expected) {
  if (!process::has_mpi()) return;
  process::result const done = process::under_mpirun(processes, arguments);
  CHECK_MESSAGE(done.code == 1, arguments);
  auto const lines = done.lines();
  REQUIRE_MESSAGE(lines.size() == 1, arguments, " said ", done.err);
  CHECK_MESSAGE(lines[0].find(expected) != std::string::npos, lines[0], " lacks ", expected);
}

}  // namespace

TEST_CASE("mpi: the demonstration") { same_bits(model("qwen3_moe_demo") + " --tp 2 --ep 2", 4); }
TEST_CASE("mpi: one process") { same_bits(model("qwen3_moe_merged"), 1); }
TEST_CASE("mpi: three processes, uneven everywhere") { same_bits(model("mixtral_odd") + " --tp 3 --ep 3", 3); }
TEST_CASE("mpi: eight processes, experts cut twice") { same_bits(model("olmoe_h8") + " --tp 2 --ep 4 --etp 2", 8); }
TEST_CASE("mpi: masked") {
  same_bits(model("mixtral_h8") + " --tp 4 --ep 4 --dispatcher masked --expert sequential", 4);
}
TEST_CASE("mpi: all_gather, dense layers") {
  same_bits(model("qwen3_moe_odd") + " --tp 2 --ep 3 --dispatcher all_gather", 6);
}
TEST_CASE("mpi: bf16") { same_bits(model("qwen3_moe_bf16") + " --tp 2 --ep 2 --dtype bf16", 4); }

TEST_CASE("mpi: errors are said once") {
  fails_once(2, "--ranks 4", "--ranks is 4 and the job has 2 processes");
  fails_once(3, "--ranks 3 --tp 3", "8 attention heads do not divide");
  fails_once(2, "--ranks 2 --dispatcher ring", "use one of masked");
  fails_once(2, "--ranks 2 --colour red", "--colour");
  fails_once(2, "--ranks 2 --model /nowhere", "cannot open '/nowhere/config.json'");
  fails_once(2, "--ranks 2 --out /nowhere/logits", "cannot write '/nowhere/logits'");
}
