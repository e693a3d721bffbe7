// SPDX-License-Identifier: Apache-2.0
// Input that is wrong: exit code 1, one line on stderr that says what and what to do, nothing on stdout, no file
// written.
#include "process.hpp"

#include "trial.hpp"
#include <doctest/doctest.h>
#include <filesystem>
#include <heddle/checkpoint/write.hpp>
#include <map>
#include <sstream>
#include <unistd.h>

namespace {

using process::scratch;

/// The run must fail with one line that holds `expected`, and must leave the output as it was. Returns the line.
std::string fails(std::string const& arguments, std::string const& expected) {
  scratch const folder;
  std::string const out = folder.file("logits.safetensors");
  std::string const old = "what was there before";
  process::write_file(out, old);
  process::result const done = process::hf_forward(arguments + " --out " + out);
  CHECK_MESSAGE(done.code == 1, arguments);
  CHECK_MESSAGE(done.out.empty(), arguments, " printed ", done.out);
  auto const lines = done.lines();
  REQUIRE_MESSAGE(lines.size() == 1, arguments, " said ", done.err);
  CHECK_MESSAGE(lines[0].starts_with("heddle: "), lines[0]);
  CHECK_MESSAGE(lines[0].find(expected) != std::string::npos, lines[0], " lacks ", expected);
  CHECK_MESSAGE(process::text_of_file(out) == old, arguments);
  CHECK(std::distance(std::filesystem::directory_iterator{folder.path()}, {}) == 1);
  return lines[0];
}

/// The run, on the demonstration, must fail as above with a hint "[with --OPTION VALUE ]use --OPTION VALUE, ...", and
/// must succeed with every value of the hint.
void fails_and_says_what_fits(std::string const& arguments, std::string const& expected) {
  std::string const line = fails(arguments, expected);
  std::map<std::string, std::string> options;
  std::string name, word;
  for (std::istringstream words{arguments}; words >> name >> word;) options[name] = word;
  std::size_t const place = line.find("Fix: ");
  REQUIRE(place != std::string::npos);
  std::istringstream hint{line.substr(place + 5)};
  int tried = 0;
  bool instead = false;
  while (hint >> word) {
    if (word == "with" || word == "use") instead = word == "use";
    else if (word.starts_with("--")) name = word;
    else {
      options[name] = std::to_string(std::stoi(word));
      if (!instead) continue;
      std::string run;
      for (auto const& [option, value] : options) run.append(option).append(" ").append(value).append(" ");
      process::result const done = process::hf_forward(run);
      CHECK_MESSAGE(done.code == 0, run, " said ", done.err);
      ++tried;
    }
  }
  CHECK(tried >= 1);
}

/// A copy of a model with one thing changed in one of its files.
void fails_after(std::string const& model, std::string const& file, std::string const& from, std::string const& to,
                 std::string const& expected) {
  scratch const folder;
  std::string const copy = folder.copy_of(model);
  REQUIRE_MESSAGE(process::replace_in(copy + "/" + file, from, to), from, " is not in ", file);
  fails("--model " + copy, expected);
}

template <heddle::element T>
std::string tokens_file(scratch const& folder, heddle::shape_t shape, std::vector<T> const& ids,
                        std::string const& name = "input_ids") {
  heddle::checkpoint::tensor_entry const entry{
      .name = name, .type = heddle::dtype_v<T>, .shape = std::move(shape), .bytes = std::as_bytes(std::span{ids})};
  heddle::checkpoint::write(folder.file("tokens.safetensors"), std::span{&entry, 1});
  return "--tokens " + folder.file("tokens.safetensors");
}

}  // namespace

TEST_CASE("a good run of the same kind, for comparison") {
  scratch const folder;
  std::string const copy = folder.copy_of("qwen3_moe_demo");
  process::result const done =
      process::hf_forward("--model " + copy + " --ranks 2 --ep 2 --out " + folder.file("logits.safetensors"));
  CHECK(done.code == 0);
  CHECK(done.err.empty());
  CHECK(done.out.find("relative L2 difference") != std::string::npos);
  CHECK(std::filesystem::exists(folder.file("logits.safetensors")));
}

TEST_CASE("config.json") {
  fails_after("qwen3_moe_demo", "config.json", "\"qwen3_moe\"", "\"gpt2\"", "unknown model_type \"gpt2\"");
  fails_after("qwen3_moe_demo", "config.json", "\"hidden_size\": 40", "\"hidden_size\": \"40\"", "hidden_size");
  fails_after("qwen3_moe_demo", "config.json", "{", "{{", "is not JSON");
  fails("--model /nowhere", "cannot open '/nowhere/config.json'");
}

TEST_CASE("a DeepSeek-V3 whose numbers or tensors do not fit") {
  fails_after("deepseek_v3_h8", "config.json", "\"n_group\": 8", "\"n_group\": 6",
              "n_group is 6 for 16 experts, a divisor is needed");
  fails_after("deepseek_v3_h8", "config.json", "\"topk_group\": 4", "\"topk_group\": 1",
              "num_experts_per_tok is 4, and the kept groups have 2 experts");
  fails_after("deepseek_v3_h8", "config.json", "\"kv_lora_rank\": 10", "\"kv_lora_rank\": 11",
              "'model.layers.0.self_attn.kv_a_proj_with_mqa.weight' has the shape [14, 32], expected [15, 32]");
  fails_after("deepseek_v3_h8", "config.json", "\"q_lora_rank\": 12", "\"q_lora_rank\": null",
              "no tensor 'model.layers.0.self_attn.q_proj.weight'");
  fails_after("deepseek_v3_bf16", "config.json", "\"topk_method\": \"noaux_tc\"", "\"topk_method\": \"greedy\"",
              "topk_method \"greedy\" Fix: use a model with noaux_tc");
  fails_after("deepseek_v3_h8", "config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2",
              "tensors that a deepseek_v3 of this config.json does not have");
  fails_after("deepseek_v3_h8", "model.safetensors", "layers.1.mlp.gate.e_score_correction_bias",
              "layers.1.mlp.gate.e_score_correction_bits",
              "no tensor 'model.layers.1.mlp.gate.e_score_correction_bias'");
  fails("--model " + trial::golden() + "/models/deepseek_v3_odd --ranks 4 --tp 4", "6 attention heads do not divide");
}

TEST_CASE("weights that are missing, truncated or malformed") {
  scratch const folder;
  std::string const copy = folder.copy_of("qwen3_moe_demo");
  std::string const weights = copy + "/model.safetensors";
  std::string const whole = process::text_of_file(weights);
  process::write_file(weights, whole.substr(0, whole.size() - 1));
  fails("--model " + copy, "[safetensors.");
  process::write_file(weights, whole.substr(0, 100));
  fails("--model " + copy, "[safetensors.");
  process::write_file(weights, "");
  fails("--model " + copy, "[safetensors.too_small]");
  std::filesystem::remove(weights);
  fails("--model " + copy, "neither model.safetensors nor model.safetensors.index.json");
  std::filesystem::remove_all(copy);
  fails_after("qwen3_moe_demo", "model.safetensors", "\"F32\"", "\"F99\"", "[safetensors.unknown_dtype]");
  std::string const sharded = folder.copy_of("mixtral_odd");
  std::filesystem::remove(sharded + "/model-00002-of-00002.safetensors");
  fails("--model " + sharded, "[safetensors.index_missing_shard]");
}

TEST_CASE("tensors that are missing, too many, or of another shape or type") {
  fails_after("qwen3_moe_demo", "model.safetensors", "model.norm.weight", "model.nurm.weight",
              "no tensor 'model.norm.weight', which should be [40]");
  fails_after("qwen3_moe_demo", "config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2",
              "tensors that a qwen3_moe of this config.json does not have");
  fails_after("qwen3_moe_demo", "config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4",
              "no tensor 'model.layers.3.");
  fails_after("qwen3_moe_demo", "config.json", "\"vocab_size\": 97", "\"vocab_size\": 96",
              "tensor 'model.embed_tokens.weight' has the shape [97, 40], expected [96, 40]");
  fails_after("qwen3_moe_demo", "config.json", "\"moe_intermediate_size\": 20", "\"moe_intermediate_size\": 21",
              "has the shape [20, 40], expected [21, 40]");
  fails_after("mixtral_merged", "config.json", "\"num_local_experts\": 5", "\"num_local_experts\": 4",
              "expected [4, 24]");
  fails_after("qwen3_moe_demo", "model.safetensors", "\"lm_head.weight\":{\"dtype\":\"F32\"",
              "\"lm_head.weight\":{\"dtype\":\"I32\"",
              "tensor 'lm_head.weight' is I32, expected F32, BF16, F16 or F64");
}

TEST_CASE("tokens") {
  scratch const folder;
  fails(tokens_file<std::int64_t>(folder, {1, 3}, {1, 97, 2}),
        "token 1 of sequence 0 is 97, outside the vocabulary of 97");
  fails(tokens_file<std::int64_t>(folder, {2, 1}, {1, -1}), "token 0 of sequence 1 is -1");
  fails(tokens_file<std::int32_t>(folder, {1, 2}, {1, 2}), "'input_ids' is I32, expected I64");
  fails(tokens_file<std::int64_t>(folder, {2}, {1, 2}), "'input_ids' has 1 axes, expected 2");
  fails(tokens_file<std::int64_t>(folder, {0, 2}, {}), "there is nothing to run");
  fails(tokens_file<std::int64_t>(folder, {1, 2}, {1, 2}, "ids"), "no tensor 'input_ids'");
  fails("--tokens /nowhere.safetensors", "cannot open '/nowhere.safetensors'");
  std::string const copy = folder.copy_of("qwen3_moe_demo");
  std::filesystem::remove(copy + "/tokens.safetensors");
  fails("--model " + copy, "give --tokens FILE");
}

TEST_CASE("sizes that do not fit, and which ones would") {
  // The demonstration has 8 heads and 4 key-value heads.
  auto const& fits = fails_and_says_what_fits;
  fits("--ranks 4 --tp 3", "--tp 3 does not divide the 4 ranks Fix: use --tp 1, 2, 4");
  fits("--ranks 12 --tp 8", "--tp 8 does not divide the 12 ranks Fix: use --tp 1, 2, 4");
  fits("--ranks 8 --tp 8", "4 key-value heads do not divide by --tp = 8 Fix: use --tp 1, 2, 4");
  fits("--ranks 3 --tp 3", "8 attention heads do not divide by --tp = 3 Fix: use --tp 1");
  fits("--ranks 6 --tp 6", "8 attention heads do not divide by --tp = 6 Fix: use --tp 1, 2");
  fits("--ranks 4 --ep 3",
       "--ep 3 times --etp 1 is 3, which does not divide the 4 ranks Fix: with --etp 1 use --ep 1, 2, 4");
  fits("--ranks 4 --ep 4 --etp 2", "Fix: with --etp 2 use --ep 1, 2");
  fits("--ranks 4 --etp 3", "Fix: with --ep 1 use --etp 1, 2, 4");
  fits("--ranks 4 --ep 2 --etp 3", "Fix: with --ep 2 use --etp 1, 2");
  fits("--ranks 4 --ep 3 --etp 3", "Fix: with --ep 1 use --etp 1, 2, 4");
  fails("--ranks 0", "--ranks is 0");
  fails("--ranks 4 --tp -1", "--tp is -1");
  fails("--ranks 1000", "use 1 to 64");
}

TEST_CASE("names and options") {
  fails("--dispatcher ring", "--dispatcher \"ring\" is not known Fix: use one of masked, all_gather, all_to_all");
  fails("--expert none", "use one of sequential, grouped");
  fails("--comm smoke", "use one of threads, mpi");
  fails("--device tpu", "--device \"tpu\" is not known Fix: use one of host, cuda");
  fails("--comm nccl", "--comm nccl with --device host Fix: add --device cuda, or use --comm threads or mpi");
  fails("--comm mpi --device cuda", "--comm mpi with --device cuda Fix: use --comm threads or nccl");
  fails("--device cuda", "unsupported: --device cuda");
  fails("--dtype f8", "use one of f32, bf16");
  fails("--gemm cublas", "use one of onednn, reference");
  fails("--ranks two", "--ranks");
  fails("--colour red", "--colour");
  fails("--deadline 0", "--deadline");
  fails("--deadline 1e-10", "use a number from 0.001");
  fails("--threads -2", "--threads is -2");
  fails("--threads 600000000", "use 1 to 1024");
}

TEST_CASE("an output that cannot be written") {
  auto const refused = [](std::string const& out, std::string const& reason) {
    process::result const done = process::hf_forward("--out " + out);
    CHECK(done.code == 1);
    CHECK_MESSAGE(done.out.empty(), out, " printed ", done.out);
    CHECK(done.lines().size() == 1);
    CHECK_MESSAGE(done.err.find("cannot write '" + out + "': " + reason) != std::string::npos, done.err);
  };
  refused("/nowhere/logits.safetensors", "No such file");
  scratch const folder;
  std::string const old = folder.file("logits.safetensors");
  process::write_file(old, "old");
  auto const old_alone = [&] {
    CHECK(process::text_of_file(old) == "old");
    CHECK(std::distance(std::filesystem::recursive_directory_iterator{folder.path()}, {}) == 1);
  };
  refused(old + "/logits", "Not a directory");
  old_alone();
  refused(folder.path().string(), "Is a directory");
  old_alone();
  if (geteuid() == 0) return;  // root writes everywhere
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  refused(old, "Permission denied");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  old_alone();
}
