// SPDX-License-Identifier: Apache-2.0
// Ranks that are processes: the same bits as ranks that are threads, and errors said once.
#include "process.hpp"

#include "trial.hpp"
#include <doctest/doctest.h>
#include <heddle/checkpoint/write.hpp>

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
  process::scratch const folder;
  std::string const out = folder.file("logits");
  process::write_file(out, "old");
  bool const own_out = arguments.find("--out ") != std::string::npos;
  process::result const done = process::under_mpirun(processes, own_out ? arguments : arguments + " --out " + out);
  CHECK_MESSAGE(done.code == 1, arguments);
  CHECK_MESSAGE(done.out.empty(), arguments, " printed ", done.out);
  CHECK_MESSAGE(process::text_of_file(out) == "old", arguments);
  CHECK(std::distance(std::filesystem::directory_iterator{folder.path()}, {}) == 1);
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
TEST_CASE("mpi: all_gather and grouped experts, seven processes for ten experts") {
  same_bits(model("olmoe_gqa") + " --ep 7 --dispatcher all_gather --expert grouped", 7);
}
TEST_CASE("mpi: masked and grouped experts, five processes") {
  same_bits(model("mixtral_top1") + " --ep 5 --dispatcher masked --expert grouped", 5);
}
TEST_CASE("mpi: latent attention, groups of experts, a shared expert") {
  same_bits(model("deepseek_v3_odd") + " --tp 2 --ep 3", 6);
}
TEST_CASE("mpi: bf16") { same_bits(model("qwen3_moe_bf16") + " --tp 2 --ep 2 --dtype bf16", 4); }

TEST_CASE("mpi: errors are said once") {
  fails_once(2, "--ranks 4", "--ranks is 4 and the job has 2 processes");
  fails_once(3, "--ranks 3 --tp 3", "8 attention heads do not divide");
  fails_once(2, "--ranks 2 --dispatcher ring", "use one of masked");
  fails_once(2, "--ranks 2 --colour red", "--colour");
  fails_once(2, "--ranks 2 --model /nowhere", "cannot open '/nowhere/config.json'");
  fails_once(2, "--ranks 2 --out /nowhere/logits", "cannot write '/nowhere/logits'");

  process::scratch const folder;
  std::string const copy = folder.copy_of("qwen3_moe_demo");
  std::int64_t const ids[] = {1, 97, 2};
  heddle::checkpoint::tensor_entry const entry{"input_ids", heddle::dtype::i64, {1, 3}, std::as_bytes(std::span{ids})};
  heddle::checkpoint::write(copy + "/tokens.safetensors", std::span{&entry, 1});
  fails_once(2, "--ranks 2 --ep 2 --model " + copy, "token 1 of sequence 0 is 97, outside the vocabulary of 97");
  std::string const weights = copy + "/model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 1);
  fails_once(2, "--ranks 2 --ep 2 --model " + copy, "[safetensors.");
}
