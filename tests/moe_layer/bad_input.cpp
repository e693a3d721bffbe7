// SPDX-License-Identifier: Apache-2.0
// Input that is wrong: exit code 1, one line on stderr that names the field and its value and says what would fit,
// nothing on stdout, no output file, and an older one untouched.
#include "process.hpp"

#include "../support/oracle_draw.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using heddle::dtype;
using process::input;
using process::scratch;

/// A layer with every optional tensor: T = 6, H = 5, E = 4, F = 3, S = 2.
input whole(oracle::settings const& is = {.top_k = 2}) {
  oracle::sizes const of{.tokens = 6,
                         .shared = 2,
                         .router_bias = true,
                         .expert_bias = true,
                         .biases = true,
                         .shared_expert = true,
                         .shared_gate = true,
                         .padding = true};
  return {oracle::filled(of, is, 5), dtype::f32};
}

/// The run must fail with one line that has all the parts, and must leave the output as it was.
void fails(input const& from, std::vector<std::string> const& parts, std::string const& arguments = "") {
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  std::string const out = folder.file("out.safetensors");
  from.write(in);
  CAPTURE(arguments);
  for (bool const there : {false, true}) {
    if (there) process::write_file(out, "what was there before");
    process::result const done = process::moe_layer("--in " + in + " --out " + out + " " + arguments);
    CHECK(done.code == 1);
    CHECK(done.out.empty());
    auto const lines = done.lines();
    REQUIRE_MESSAGE(lines.size() == 1, done.err);
    CHECK_MESSAGE(lines[0].starts_with("heddle: "), lines[0]);
    for (std::string const& part : parts)
      CHECK_MESSAGE(lines[0].find(part) != std::string::npos, lines[0], " lacks ", part);
    CHECK(std::filesystem::exists(out) == there);
    if (there) CHECK(process::text_of_file(out) == "what was there before");
    CHECK(std::distance(std::filesystem::directory_iterator{folder.path()}, {}) == (there ? 2 : 1));
  }
}

/// The line must name the file, have the text, and give the hint.
void fails_with_config(std::string const& config, std::string const& text, std::string const& hint) {
  input from = whole();
  from.config = config;
  CAPTURE(config);
  fails(from, {"in.safetensors: " + text, "Fix: " + hint});
}

process::stored of_shape(dtype type, heddle::shape_t shape) {
  auto const count = static_cast<std::size_t>(support::count_of(shape)) * heddle::size_of(type);
  return {type, std::move(shape), std::vector<std::byte>(count)};
}

void fails_with_shape(std::string const& name, heddle::shape_t shape, std::string const& text,
                      std::string const& hint) {
  input from = whole();
  from.tensors[name] = of_shape(name == "padding_mask" ? dtype::boolean : dtype::f32, std::move(shape));
  fails(from, {"in.safetensors: tensor '" + name + "' has the shape " + text, hint});
}

void fails_with_type(std::string const& name, dtype type, std::string const& text) {
  input from = whole();
  from.tensors[name] = of_shape(type, from.tensors[name].shape);
  fails(from, {"in.safetensors: tensor '" + name + "' is " + text, "Fix: give "});
}

void fails_without(std::string const& name, std::string const& text, std::string const& hint) {
  input from = whole();
  from.tensors.erase(name);
  fails(from, {text, "Fix: " + hint});
}

}  // namespace

TEST_CASE("tensors that are missing or unknown") {
  fails_without("hidden", "there is no tensor 'hidden'", "give hidden [T, H]");
  fails_without("router.weight", "there is no tensor 'router.weight'", "give router.weight [E, H]");
  fails_without("gate_up_proj", "there is no tensor 'gate_up_proj'", "give gate_up_proj [E, 2F, H]");
  fails_without("down_proj", "there is no tensor 'down_proj'", "give down_proj [E, H, F]");
  fails_without("shared.down_proj", "no tensor 'shared.down_proj', and there is 'shared.gate_up_proj'", "give both");
  fails_without("shared.gate_up_proj", "no tensor 'shared.gate_up_proj', and there is 'shared.down_proj'", "give both");
  input gate_alone = whole();
  gate_alone.tensors.erase("shared.gate_up_proj");
  gate_alone.tensors.erase("shared.down_proj");
  fails(gate_alone, {"there is 'shared.gate.weight' and no shared expert", "Fix: give shared.gate_up_proj"});
  input unknown = whole();
  unknown.tensors["router.wieght"] = of_shape(dtype::f32, {1});
  fails(unknown, {"unknown tensor 'router.wieght'", "Fix: use hidden, router.weight, ", "padding_mask"});
}

TEST_CASE("types that are not all F32 or all F64") {
  fails_with_type("hidden", dtype::bf16, "BF16, expected F32 or F64");
  fails_with_type("down_proj", dtype::f16, "F16, expected F32 or F64");
  fails_with_type("router.bias", dtype::i64, "I64, expected F32 or F64");
  for (std::string const name :
       {"router.weight", "router.bias", "expert_bias", "gate_up_proj", "down_proj", "gate_up_bias", "down_bias",
        "shared.gate_up_proj", "shared.down_proj", "shared.gate.weight", "grad_output"})
    fails_with_type(name, dtype::f64, "F64, 'hidden' is F32");
  fails_with_type("padding_mask", dtype::u8, "U8, expected BOOL");
  input from = whole();
  from.tensors.at("padding_mask").bytes[2] = std::byte{7};
  fails(from, {"[safetensors.bad_bool]", "padding_mask"});
}

TEST_CASE("shapes that do not fit each other") {
  fails_with_shape("hidden", {30}, "[30], expected [T, H]", "");
  fails_with_shape("hidden", {6, 0}, "[6, 0], H is 0", "Fix: use 1 or more for H");
  fails_with_shape("router.weight", {0, 5}, "[0, 5], E is 0", "Fix: use 1 or more for E");
  fails_with_shape("router.weight", {4, 6}, "[4, 6], expected [E, H] = [4, 5]", "Fix: H is taken from hidden");
  fails_with_shape("router.weight", {4, 5, 1}, "[4, 5, 1], expected [E, H]", "");
  fails_with_shape("router.bias", {5}, "[5], expected [E] = [4]", "E from router.weight");
  fails_with_shape("expert_bias", {4, 1}, "[4, 1], expected [E] = [4]", "");
  fails_with_shape("gate_up_proj", {4, 3, 5}, "[4, 3, 5], expected [E, 2F, H] = [4, 6, 5]",
                   "the activation swiglu has gate and up rows");
  fails_with_shape("gate_up_proj", {3, 6, 5}, "[3, 6, 5], expected [E, 2F, H] = [4, 6, 5]", "E from router.weight");
  fails_with_shape("gate_up_proj", {6, 5}, "[6, 5], expected [E, 2F, H]", "");
  fails_with_shape("down_proj", {4, 3, 5}, "[4, 3, 5], expected [E, H, F] = [4, 5, 5]", "F from down_proj");
  fails_with_shape("gate_up_bias", {4, 3}, "[4, 3], expected [E, 2F] = [4, 6]", "gate and up rows");
  fails_with_shape("down_bias", {4, 6}, "[4, 6], expected [E, H] = [4, 5]", "");
  fails_with_shape("shared.gate_up_proj", {2, 5}, "[2, 5], expected [2S, H] = [4, 5]", "S is taken from");
  fails_with_shape("shared.down_proj", {4, 2}, "[4, 2], expected [H, S] = [5, 2]", "");
  fails_with_shape("shared.gate.weight", {5}, "[5], expected [1, H] = [1, 5]", "");
  fails_with_shape("grad_output", {5, 5}, "[5, 5], expected [T, H] = [6, 5]", "Fix: it has the shape of hidden");
  fails_with_shape("padding_mask", {7}, "[7], expected [T] = [6]", "Fix: one value a token");
  input plain = whole({.top_k = 2, .activation = oracle::activation_kind::relu});
  plain.tensors["gate_up_proj"] = of_shape(dtype::f32, {4, 6, 5});
  fails(plain, {"expected [E, F, H] = [4, 3, 5]", "the activation relu has no gate"});
  plain.tensors["gate_up_proj"] = of_shape(dtype::f32, {12, 5});
  fails(plain, {"[12, 5], expected [E, F, H]"});
  plain.tensors.erase("gate_up_proj");
  fails(plain, {"there is no tensor 'gate_up_proj'", "Fix: give gate_up_proj [E, F, H]"});
}

TEST_CASE("config that is not the object it should be") {
  input none = whole();
  none.config.reset();
  fails(none, {"__metadata__ has no config", "Fix: write __metadata__.config"});
  fails_with_config("{\"top_k\":2", "config is not JSON", "write __metadata__.config as a JSON object");
  fails_with_config("[2]", "config is a list", "write a JSON object");
  fails_with_config("2", "config is 2", "write a JSON object");
  fails_with_config(std::string(100000, '['), "config is not JSON", "");
  fails_with_config("{}", "config has no top_k", "give the number of experts");
  fails_with_config("{\"top_k\":2,\"top_k\":1}", "config has the key 'top_k' twice", "keep one");
  fails_with_config("{\"top_k\":2,\"topk\":1}", "config has the unknown key 'topk' = 1", "use top_k, score, ");
  fails_with_config("{\"top_k\":2,\"aux\":{\"scale\":1}}", "config has the unknown key 'aux' = an object", "use ");
}

TEST_CASE("config values of another type") {
  auto const number = [](std::string const& name, std::string const& hint) {
    for (std::string const value : {"\"2\"", "true", "null", "[2]"}) {
      std::string const shown = value == "[2]" ? "a list" : value;
      fails_with_config("{\"top_k\":2,\"" + name + "\":" + value + "}", "config." + name + " is " + shown,
                        "use " + hint);
    }
  };
  for (std::string const name : {"groups", "groups_kept", "sequence_length"}) number(name, "a whole number");
  for (std::string const name : {"aux_loss_coeff", "z_loss_coeff", "bias_update_rate", "capacity_factor"})
    number(name, "a number of at least 0");
  number("scale", "a number");
  fails_with_config("{\"top_k\":2.0}", "config.top_k is 2.0", "use a whole number");
  fails_with_config("{\"top_k\":\"2\"}", "config.top_k is \"2\"", "use a whole number");
  for (std::string const name : {"normalize", "pad_to_capacity"})
    fails_with_config("{\"top_k\":2,\"" + name + "\":1}", "config." + name + " is 1", "use true or false");
  auto const word = [](std::string const& name, std::string const& hint) {
    fails_with_config("{\"top_k\":2,\"" + name + "\":\"other\"}", "config." + name + " is \"other\"",
                      "use one of " + hint);
    fails_with_config("{\"top_k\":2,\"" + name + "\":0}", "config." + name + " is 0", "use one of " + hint);
  };
  word("score", "softmax, sigmoid, sqrtsoftplus");
  word("score_order", "pre, post");
  word("group_score", "top2, topm, max");
  word("activation", "swiglu, geglu, quick_geglu, gpt_oss, squared_relu, relu, gelu");
  word("glu_layout", "halves, interleaved");
  word("drop", "probability, position");
  word("aux_loss", "megatron, sequence, huggingface");
  word("bias_update", "megatron, torchtitan");
}

TEST_CASE("config values out of range, or that do not fit the layer") {
  auto const range = [](std::string const& more, std::string const& text, std::string const& hint) {
    fails_with_config("{\"top_k\":2," + more + "}", text, hint);
  };
  fails_with_config("{\"top_k\":0}", "config.top_k is 0", "use 1 to ");
  fails_with_config("{\"top_k\":-1}", "config.top_k is -1", "use 1 to ");
  fails_with_config("{\"top_k\":18446744073709551615}", "config.top_k is 18446744073709551615", "use 1 to ");
  fails_with_config("{\"top_k\":5}", "config.top_k is 5, the router has 4 experts", "use 1 to 4");
  range("\"groups\":0", "config.groups is 0", "use 1 to ");
  range("\"groups\":3", "config.groups is 3, which does not divide the 4 experts", "use 1, 2, 4");
  range("\"groups\":2,\"groups_kept\":3", "config.groups_kept is 3 of 2 groups", "use 1 to 2");
  range("\"groups_kept\":2", "config.groups_kept is 2 of 1 groups", "use 1 to 1");
  fails_with_config("{\"top_k\":3,\"groups\":2,\"groups_kept\":1}",
                    "config.groups_kept is 1, groups of 2 experts have too few for top_k 3",
                    "use 2 to 2, or top_k up to 2");
  range("\"groups\":4,\"groups_kept\":2", "config.group_score is \"top2\" with groups of 1 expert",
        "use max or topm, or groups up to 2");
  for (std::string const score : {"sigmoid", "sqrtsoftplus"})
    range("\"score_order\":\"post\",\"score\":\"" + score + "\"",
          "config.score_order is \"post\" with the score \"" + score + "\"", "use pre, or the score softmax");
  for (std::string const name : {"aux_loss_coeff", "z_loss_coeff", "bias_update_rate", "capacity_factor"})
    range("\"" + name + "\":-0.5", "config." + name + " is -0.5", "use a number of at least 0");
  range("\"capacity_factor\":0", "config.capacity_factor is 0", "use a number above 0");
  range("\"pad_to_capacity\":true,\"capacity_factor\":1e300", "config.capacity_factor is 1e+300",
        "use a number up to 1e6, or leave out pad_to_capacity");
  range("\"scale\":1e999", "config is not JSON from the key 'scale' on", "");
  range("\"scale\":NaN", "config is not JSON from the key 'scale' on", "");
  range("\"pad_to_capacity\":true", "config.pad_to_capacity is true without capacity_factor", "give capacity_factor");
  range("\"sequence_length\":0", "config.sequence_length is 0", "use 1 to ");
  range("\"aux_loss\":\"sequence\",\"aux_loss_coeff\":0.1", "config.sequence_length is missing",
        "give a divisor of the 6 tokens");
  range("\"aux_loss\":\"sequence\",\"aux_loss_coeff\":0.1,\"sequence_length\":4",
        "config.sequence_length is 4, the 6 tokens are no multiple of it", "use a divisor of 6");
}

TEST_CASE("more choices or groups than a token can have") {
  auto const many = [](oracle::settings const& is, std::string const& text, std::string const& hint) {
    fails({oracle::filled({.tokens = 2, .hidden = 2, .experts = 514, .width = 1}, is, 5), dtype::f32},
          {"in.safetensors: " + text, "Fix: " + hint});
  };
  many({.top_k = 33}, "config.top_k is 33, more than a token can choose", "use 1 to 32");
  many({.top_k = 515}, "config.top_k is 515, the router has 514 experts", "use 1 to 32");
  many({.top_k = 1, .groups = 257, .groups_kept = 2}, "config.groups is 257, more than can be compared",
       "use up to 256, or keep all");
  fails({oracle::filled({.tokens = 2, .hidden = 2, .experts = 80, .width = 1},
                        {.top_k = 1, .groups = 40, .groups_kept = 33}, 5),
         dtype::f32},
        {"config.groups_kept is 33, more than a token can choose", "Fix: use 1 to 32, or keep all"});
}

TEST_CASE("experts filled up with more rows than can be numbered") {
  fails({oracle::filled({.tokens = 4400, .hidden = 1, .experts = 2, .width = 1},
                        {.top_k = 2, .capacity_factor = 1e6, .pad_to_capacity = true}, 5),
         dtype::f32},
        {"capacity_factor is 1000000", "Fix: use a "});
  fails({oracle::filled({.tokens = 1200, .hidden = 1, .experts = 2, .width = 1},
                        {.top_k = 2, .capacity_factor = 1e6, .pad_to_capacity = true}, 5),
         dtype::f32},
        {"config.capacity_factor is 1000000", "2 experts padded to 1200000000 rows", "Fix: use a smaller factor"});
  for (std::string const dispatcher : {"flex", "direct", "all_to_all"}) {
    fails({oracle::filled({.tokens = 1200, .hidden = 1, .experts = 2, .width = 1},
                          {.top_k = 2, .capacity_factor = 1e6, .pad_to_capacity = true}, 5),
           dtype::f32},
          {"2 experts padded to 600000000 rows for each of --etp 2 ranks", "Fix: use a smaller factor"},
          "--ranks 2 --etp 2 --dispatcher " + dispatcher);
  }
}

TEST_CASE("a mesh that does not fit, and which one would") {
  auto const mesh = [](std::string const& arguments, std::string const& text, std::string const& hint) {
    fails(whole(), {text, "Fix: " + hint}, arguments);
  };
  mesh("--ranks 0", "--ranks is 0", "use 1 to 64");
  mesh("--ranks 65", "--ranks is 65", "use 1 to 64");
  mesh("--ranks 4 --ep 0", "--ep is 0", "use 1 to 64");
  mesh("--ranks 4 --etp -1", "--etp is -1", "use 1 to 64");
  mesh("--ranks 4 --ep 3", "--ep 3 times --etp 1 is 3, which does not divide the 4 ranks",
       "with --etp 1 use --ep 1, 2, 4");
  mesh("--ranks 6 --ep 2 --etp 2", "is 4, which does not divide the 6 ranks", "with --etp 2 use --ep 1, 3");
  mesh("--ranks 4 --ep 2 --etp 3", "is 6, which does not divide the 4 ranks", "with --ep 2 use --etp 1, 2");
  mesh("--ranks 4 --ep 3 --etp 3", "is 9, which does not divide the 4 ranks", "with --ep 1 use --etp 1, 2, 4");
}

TEST_CASE("names and options") {
  auto const refuse = [](std::string const& arguments, std::string const& text) { fails(whole(), {text}, arguments); };
  refuse("--dispatcher ring",
         "--dispatcher \"ring\" is not known Fix: use one of masked, all_gather, all_to_all, all_to_all_dedup, flex, "
         "direct");
  refuse("--expert none", "use one of sequential, grouped, aligned");
  refuse("--weight-at home", "use one of input, activation, output, origin");
  refuse("--comm smoke", "use one of threads, mpi");
  refuse("--device tpu", "--device \"tpu\" is not known Fix: use one of host, cuda");
  refuse("--comm nccl", "--comm nccl with --device host Fix: add --device cuda, or use --comm threads or mpi");
  refuse("--comm mpi --device cuda", "--comm mpi with --device cuda Fix: use --comm threads or nccl");
  if (!std::filesystem::exists("/dev/nvidiactl")) {  // this build has no CUDA, or this machine no GPU
    refuse("--device cuda", "heddle: unsupported: --device cuda: ");
    refuse("--device cuda --comm nccl", "heddle: unsupported: --");
  }
  refuse("--ranks two", "--ranks is \"two\" Fix: use 1 to 64");
  refuse("--ranks 2.5", "--ranks is \"2.5\" Fix: use 1 to 64");
  refuse("--ranks ''", "--ranks is \"\" Fix: use 1 to 64");
  refuse("--ep 4294967298", "--ep is \"4294967298\" Fix: use 1 to 64");
  refuse("--etp 2x", "--etp is \"2x\" Fix: use 1 to 64");
  refuse("--threads many", "--threads is \"many\" Fix: use 1 to 1024");
  refuse("--deadline soon", "--deadline is \"soon\" Fix: use a number from 0.001");
  refuse("--colour red", "--colour");
  refuse("--deadline 0", "--deadline is 0");
  refuse("--deadline nan", "use a number from 0.001");
  refuse("--threads -2", "--threads is -2");
  refuse("--threads 600000000", "use 1 to 1024");
}

TEST_CASE("files that cannot be read") {
  auto const refuse = [](std::string const& arguments, std::string const& text) {
    process::result const done = process::moe_layer(arguments);
    CHECK(done.code == 1);
    CHECK(done.out.empty());
    REQUIRE_MESSAGE(done.lines().size() == 1, done.err);
    CHECK_MESSAGE(done.err.find(text) != std::string::npos, done.err, " lacks ", text);
  };
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  std::string const out = folder.file("out.safetensors");
  refuse("--out " + out, "--in is missing Fix: give --in FILE");
  refuse("--in " + in, "--out is missing Fix: give --out FILE");
  refuse("--in " + in + " --out " + out, "cannot open '" + in + "'");
  whole().write(in);
  std::string const bytes = process::text_of_file(in);
  process::write_file(in, bytes.substr(0, bytes.size() - 1));
  refuse("--in " + in + " --out " + out, "[safetensors.");
  process::write_file(in, "");
  refuse("--in " + in + " --out " + out, "[safetensors.too_small]");
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("an output that cannot be written is refused before the run") {
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  whole().write(in);
  auto const refused = [&](std::string const& out, std::string const& reason) {
    process::result const done = process::moe_layer("--in " + in + " --out " + out);
    CHECK(done.code == 1);
    CHECK(done.lines().size() == 1);
    CHECK_MESSAGE(done.err.find("cannot write '" + out + "': " + reason) != std::string::npos, done.err);
  };
  refused("/nowhere/out.safetensors", "No such file");
  refused(in + "/out", "Not a directory");
  refused(folder.path().string(), "Is a directory");
  CHECK(std::distance(std::filesystem::directory_iterator{folder.path()}, {}) == 1);
}

TEST_CASE("an output that is the input, by whatever name, or no file at all, is refused") {
  scratch const folder;
  std::string const in = folder.file("in.safetensors");
  whole().write(in);
  std::string const before = process::text_of_file(in);
  std::filesystem::create_hard_link(in, folder.file("hard"));
  std::filesystem::create_symlink(in, folder.file("soft"));
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  auto const refused = [&](std::string const& name, std::string const& text) {
    process::result const done = process::moe_layer("--in " + in + " --out " + folder.file(name));
    CHECK(done.code == 1);
    CHECK(done.lines().size() == 1);
    CHECK_MESSAGE(done.err.find(text) != std::string::npos, done.err);
    CHECK(process::text_of_file(in) == before);
    CHECK(std::distance(std::filesystem::directory_iterator{folder.path()}, {}) == 4);
  };
  for (std::string const name : {"in.safetensors", "./in.safetensors", "hard", "soft"})
    refused(name, "--out is '" + folder.file(name) + "', the file that --in reads Fix: name another file");
  refused("pipe", "cannot write '" + folder.file("pipe") + "': not a regular file");
}
