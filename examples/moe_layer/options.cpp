// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <heddle/core/error.hpp>
#include <span>

namespace probe {

namespace {

using heddle::error;
using heddle::error_kind;

std::string listed(std::span<char const* const> names) {
  std::string list;
  for (char const* const name : names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

/// The kind whose name `text` is.
template <class Kind, std::size_t Count>
Kind named(std::string const& option, std::string const& text, std::array<char const*, Count> const& names) {
  for (std::size_t i = 0; i < Count; ++i) {
    if (text == names[i]) return static_cast<Kind>(i);
  }
  throw error(error_kind::argument, option + " \"" + text + "\" is not known", "use one of " + listed(names));
}

/// The number of processes an MPI launcher has started, 0 where there is none.
int processes_started() {
  for (char const* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (char const* const text = std::getenv(name)) return std::atoi(text);
  }
  return 0;
}

/// What is not a number at all; its range is judged later.
template <class Number>
void count(std::string const& option, std::string const& text, Number& to, std::string const& fits) {
  auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), to);
  if (code == std::errc{} && end == text.data() + text.size()) return;
  throw error(error_kind::argument, option + " is \"" + text + "\"", "use " + fits);
}

constexpr int most_ranks = 64;

struct texts {
  std::string dispatcher = "all_to_all", expert = "grouped", weight_at = "output", comm = "threads", device = "host";
  std::string ranks = "1", ep = "1", etp = "1", threads = "0", deadline = "60";
};

void settle(options& result, texts const& given) {
  choice& chosen = result.chosen;
  std::string const up_to = "1 to " + std::to_string(most_ranks);
  count("--ranks", given.ranks, chosen.ranks, up_to);
  count("--ep", given.ep, chosen.ep, up_to);
  count("--etp", given.etp, chosen.etp, up_to);
  count("--threads", given.threads, chosen.threads, "1 to 1024, or 0 to share the machine");
  count("--deadline", given.deadline, chosen.deadline, "a number from 0.001");
  chosen.transport = named<transport_kind>("--comm", given.comm, transport_names);
  chosen.device = named<device_kind>("--device", given.device, device_names);
  chosen.dispatcher = named<dispatcher_kind>("--dispatcher", given.dispatcher, dispatcher_names);
  chosen.expert = named<expert_kind>("--expert", given.expert, expert_names);
  chosen.weight_at = named<place_kind>("--weight-at", given.weight_at, place_names);
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
  check_device(chosen);
  check_mesh(chosen);
  for (auto const& [name, value] : {std::pair{"--in", &result.in}, {"--out", &result.out}}) {
    if (value->empty()) {
      throw error(
          error_kind::argument, std::string{name} + " is missing",
          std::string{"give "} + name + " FILE, a safetensors file to " + (value == &result.in ? "read" : "write"));
    }
  }
}

/// The sizes that divide `count`.
std::string divisors(int count) {
  std::string list;
  for (int size = 1; size <= count; ++size) {
    if (count % size == 0) list.append(list.empty() ? "" : ", ").append(std::to_string(size));
  }
  return list;
}

}  // namespace

void check_device(choice const& chosen) {
  bool const by_nccl = chosen.transport == transport_kind::nccl;
  if (chosen.device == device_kind::host) {
    if (!by_nccl) return;
    throw error(error_kind::argument, "--comm nccl with --device host",
                "add --device cuda, or use --comm threads or mpi");
  }
  if (chosen.transport == transport_kind::mpi)
    throw error(error_kind::argument, "--comm mpi with --device cuda", "use --comm threads or nccl");
#if defined(HEDDLE_WITH_CUDA)
  if (by_nccl) {
    throw error(error_kind::unsupported, "--comm nccl is not in this program yet",
                "use --comm threads, whose ranks share one GPU");
  }
#else
  throw error(error_kind::unsupported, "--device cuda: this build has no CUDA",
              "use --device host, or configure with HEDDLE_ENABLE_CUDA where the CUDA toolkit is");
#endif
}

void check_mesh(choice const& chosen) {
  for (auto const& [name, value] : {std::pair{"--ranks", chosen.ranks}, {"--ep", chosen.ep}, {"--etp", chosen.etp}}) {
    if (value < 1 || value > most_ranks) {
      throw error(error_kind::argument, std::string{name} + " is " + std::to_string(value),
                  "use 1 to " + std::to_string(most_ranks));
    }
  }
  int const cell = chosen.ep * chosen.etp;
  if (chosen.ranks % cell == 0) return;
  // The hint keeps one of the two sizes, and where neither fits takes --ep as 1.
  bool const keep_etp = chosen.ranks % chosen.etp == 0;
  int const kept = keep_etp ? chosen.etp : chosen.ranks % chosen.ep == 0 ? chosen.ep : 1;
  throw error(error_kind::shape,
              "--ep " + std::to_string(chosen.ep) + " times --etp " + std::to_string(chosen.etp) + " is " +
                  std::to_string(cell) + ", which does not divide the " + std::to_string(chosen.ranks) + " ranks",
              std::string{keep_etp ? "with --etp " : "with --ep "} + std::to_string(kept) +
                  (keep_etp ? " use --ep " : " use --etp ") + divisors(chosen.ranks / kept));
}

options parse_options(int argc, char** argv) {
  options result;
  texts given;
  choice& chosen = result.chosen;
  CLI::App app{"Runs one mixture-of-experts layer, forward and backward, under any choice of policies."};
  app.add_option("--in", result.in,
                 "safetensors file: hidden [T,H], router.weight [E,H], gate_up_proj [E,2F,H], down_proj [E,H,F] and "
                 "optional tensors, all F32 or all F64; __metadata__.config is a JSON object with top_k");
  app.add_option("--out", result.out, "safetensors file to write output, routing, losses and gradients to");
  app.add_option("--ranks", given.ranks, "number of ranks")->type_name("INT")->capture_default_str();
  app.add_option("--ep", given.ep, "expert parallel size")->type_name("INT")->capture_default_str();
  app.add_option("--etp", given.etp, "tensor parallel size inside an expert; ep x etp divides the ranks")
      ->type_name("INT")
      ->capture_default_str();
  app.add_option("--dispatcher", given.dispatcher, listed(dispatcher_names))->capture_default_str();
  app.add_option("--expert", given.expert, listed(expert_names))->capture_default_str();
  app.add_option("--weight-at", given.weight_at, "where the routing weight is applied: " + listed(place_names))
      ->capture_default_str();
  app.add_option("--comm", given.comm, "threads, mpi under mpirun -np RANKS, or nccl with a GPU for each rank")
      ->capture_default_str();
  app.add_option("--device", given.device, "host, or cuda for a GPU, in a build that has CUDA")->capture_default_str();
  app.add_flag("--recompute", chosen.recompute, "compute the activation again in the backward pass");
  app.add_flag("--delay-wgrad", chosen.delay_wgrad, "weight gradients behind all data gradients");
  app.add_option("--threads", given.threads, "threads inside a rank (default: the machine's, divided among the ranks)")
      ->type_name("INT");
  app.add_option("--deadline", given.deadline, "seconds a rank waits for the others")
      ->type_name("FLOAT")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    settle(result, given);
  } catch (CLI::Success const& done) {
    result.exit_code = app.exit(done);
  } catch (CLI::ParseError const& wrong) {
    result.problem = std::make_exception_ptr(error(error_kind::argument, wrong.what(), "see --help"));
  } catch (error const& wrong) {
    result.problem = std::make_exception_ptr(wrong);
  }
  // Ranks that are processes must all hear of a mistake, and one of them say it.
  if (result.problem) chosen.transport = processes_started() > 1 ? transport_kind::mpi : transport_kind::threads;
  return result;
}

}  // namespace probe
