// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include "job.hpp"
#include <optional>
#include <thread>

namespace probe {

namespace {

/// Everything a run needs, checked before a byte is sent.
any_problem prepare(options const& given, choice& chosen) {
  if (given.problem) std::rethrow_exception(given.problem);
  any_problem result = read_problem(given.in);
  require_writable(given.out, given.in);
  std::visit([&](auto const& of) { require_supported(of, chosen); }, result);
  if (chosen.threads == 0) {
    int const machine = static_cast<int>(std::thread::hardware_concurrency());
    chosen.threads = machine > chosen.ranks ? machine / chosen.ranks : 1;
  }
  return result;
}

}  // namespace

int run_program(options const& given) {
  if (given.exit_code >= 0) return given.exit_code;
  choice chosen = given.chosen;
  std::optional<any_problem> whole;
  return run_ranks(
      chosen, [&] { whole.emplace(prepare(given, chosen)); },
      [&](communicator& rank) {
        std::visit(
            [&]<class T>(problem<T> const& of) {
              answer<T> const is = run_layer(rank, of, chosen);
              // Rank 0 alone writes; the others hear whether it could.
              rank.agree([&] {
                if (rank.rank() == 0) write_answer(given.out, of, is);
              });
            },
            *whole);
      });
}

int run_command(int argc, char** argv) { return run_program(parse_options(argc, argv)); }

}  // namespace probe
