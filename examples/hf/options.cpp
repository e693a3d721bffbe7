// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace hf {

namespace {

using heddle::error;
using heddle::error_kind;

/// The value that `text` names; the error lists the names there are.
template <class Value>
Value named(std::string const& option, std::string const& text,
            std::initializer_list<std::pair<char const*, Value>> known) {
  std::string list;
  for (auto const& [name, value] : known) {
    if (text == name) return value;
    list.append(list.empty() ? "" : ", ").append(name);
  }
  throw error(error_kind::argument, option + " \"" + text + "\" is not known", "use one of " + list);
}

/// The number of processes an MPI launcher has started, 0 where there is none.
int processes_started() {
  for (char const* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (char const* const text = std::getenv(name)) return std::atoi(text);
  }
  return 0;
}

/// Throws where --device and --comm do not go together, or this program has no such device.
void check_device(choice const& chosen) {
  if (chosen.device == device_kind::host) {
    if (chosen.transport != transport_kind::nccl) return;
    throw error(error_kind::argument, "--comm nccl with --device host",
                "add --device cuda, or use --comm threads or mpi");
  }
  if (chosen.transport == transport_kind::mpi)
    throw error(error_kind::argument, "--comm mpi with --device cuda", "use --comm threads or nccl");
  // Its attention, a kernel of one row that works in scratch of a row, is the host's.
  throw error(error_kind::unsupported, "--device cuda: this program has no kernels for a GPU yet",
              "use --device host; moe_layer and examples/cuda_nccl run on a GPU");
}

struct texts {
  std::string dispatcher = "all_to_all", expert = "grouped", comm = "threads", dtype = "f32", device = "host", gemm;
};

void settle(options& result, texts const& given, bool sizes_given) {
  choice& chosen = result.chosen;
  chosen.transport = named<transport_kind>(
      "--comm", given.comm,
      {{"threads", transport_kind::threads}, {"mpi", transport_kind::mpi}, {"nccl", transport_kind::nccl}});
  chosen.device =
      named<device_kind>("--device", given.device, {{"host", device_kind::host}, {"cuda", device_kind::cuda}});
  check_device(chosen);
  chosen.dispatcher = named<dispatcher_kind>("--dispatcher", given.dispatcher,
                                             {{"masked", dispatcher_kind::masked},
                                              {"all_gather", dispatcher_kind::all_gather},
                                              {"all_to_all", dispatcher_kind::all_to_all}});
  chosen.expert = named<expert_kind>("--expert", given.expert,
                                     {{"sequential", expert_kind::sequential}, {"grouped", expert_kind::grouped}});
  chosen.dtype = named<dtype_kind>("--dtype", given.dtype, {{"f32", dtype_kind::f32}, {"bf16", dtype_kind::bf16}});
  if (!given.gemm.empty()) {
    chosen.gemm =
        named<gemm_kind>("--gemm", given.gemm, {{"onednn", gemm_kind::onednn}, {"reference", gemm_kind::reference}});
    static_cast<void>(gemm{chosen.gemm});
  }
  if (chosen.transport == transport_kind::threads && processes_started() > 1) {
    throw error(error_kind::argument,
                "--comm threads in a job of " + std::to_string(processes_started()) + " processes",
                "add --comm mpi, or start it without mpirun");
  }
  if (!(chosen.deadline >= 1e-3 && chosen.deadline < 1e9)) {
    throw error(error_kind::argument, "--deadline is " + std::to_string(chosen.deadline) + " seconds",
                "use a number from 0.001");
  }
  if (chosen.threads < 0 || chosen.threads > 1024) {
    throw error(error_kind::argument, "--threads is " + std::to_string(chosen.threads),
                "use 1 to 1024, or 0 to share the machine");
  }
  if (result.model.empty()) {
    // The repository's demonstration: a small Qwen3-MoE over four ranks.
    char const* const moved = std::getenv("HEDDLE_GOLDEN_DIR");
    result.model = std::string{moved != nullptr ? moved : HEDDLE_GOLDEN_DIR} + "/models/qwen3_moe_demo";
    if (!sizes_given) {
      chosen.ranks = 4;
      chosen.tp = chosen.ep = 2;
    }
  }
  while (result.model.size() > 1 && result.model.back() == '/') result.model.pop_back();
}

}  // namespace

options parse_options(int argc, char** argv) {
  options result;
  texts given;
  CLI::App app{"Runs a Hugging Face mixture-of-experts checkpoint over several ranks."};
  app.add_option(
      "--model", result.model,
      "model folder: config.json and model.safetensors or a sharded index (default: a small one of the repository)");
  app.add_option("--tokens", result.tokens,
                 "safetensors file with input_ids I64 [B, S] (default: tokens.safetensors in the model folder)");
  auto const* const ranks =
      app.add_option("--ranks", result.chosen.ranks, "number of ranks (default 1, without --model 4)");
  auto const* const tp =
      app.add_option("--tp", result.chosen.tp, "tensor parallel size of the dense part (default 1, without --model 2)");
  auto const* const ep =
      app.add_option("--ep", result.chosen.ep, "expert parallel size (default 1, without --model 2)");
  auto const* const etp =
      app.add_option("--etp", result.chosen.etp, "tensor parallel size inside an expert (default 1)");
  app.add_option("--dispatcher", given.dispatcher, "masked, all_gather or all_to_all")->capture_default_str();
  app.add_option("--expert", given.expert, "sequential or grouped")->capture_default_str();
  app.add_option("--comm", given.comm, "threads, mpi under mpirun -np RANKS, or nccl with a GPU for each rank")
      ->capture_default_str();
  app.add_option("--device", given.device, "host, or cuda for a GPU, in a build that has CUDA")->capture_default_str();
  app.add_option("--dtype", given.dtype,
                 "f32 or bf16: weights and activations; sums, norms, softmax and router are f32")
      ->capture_default_str();
  app.add_option("--gemm", given.gemm, "onednn or reference (default: onednn where the build has it)");
  app.add_option("--threads", result.chosen.threads,
                 "threads inside a rank (default: the machine's, divided among the ranks)");
  app.add_option("--deadline", result.chosen.deadline, "seconds a rank waits for the others, save for loading")
      ->capture_default_str();
  app.add_option("--out", result.out, "file to write logits F32 [B, S, V] to");
  app.add_flag("--describe", result.describe, "print the forward and backward sequence of every style");
  try {
    app.parse(argc, argv);
    bool const sizes_given = ranks->count() + tp->count() + ep->count() + etp->count() > 0;
    settle(result, given, sizes_given);
  } catch (CLI::Success const& done) {
    result.exit_code = app.exit(done);
  } catch (CLI::ParseError const& wrong) {
    result.problem = std::make_exception_ptr(error(error_kind::argument, wrong.what(), "see --help"));
  } catch (error const& wrong) {
    result.problem = std::make_exception_ptr(wrong);
  }
  // Ranks that are processes must all hear of a mistake, and one of them say it.
  if (result.problem) result.chosen.transport = processes_started() > 1 ? transport_kind::mpi : transport_kind::threads;
  return result;
}

}  // namespace hf
