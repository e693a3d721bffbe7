// SPDX-License-Identifier: Apache-2.0
// The main of tests whose ranks are processes. Every rank runs every test case; a failure, a skipped case or an end
// before the others on any rank fails the run. Rank 0 reports; the others only speak, with their number in front, of
// what failed there. A rank that falls out of step is found by the check of fingerprints or by the deadline, so the run
// ends; `mpirun --timeout` outside is the guard for what is not heddle's.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <heddle/mpi/run.hpp>

#include <cstdio>
#include <iostream>
#include <streambuf>
#include <string>
#include <vector>

#include "support/mpi_world.hpp"

namespace {

heddle::mpi::communicator<>* world = nullptr;

/// Whole lines to stdout, each with the rank in front.
class tagged_lines : public std::streambuf {
 public:
  explicit tagged_lines(int rank) : tag_{"[rank " + std::to_string(rank) + "] "} {}

 protected:
  int overflow(int letter) override {
    if (letter == traits_type::eof()) return 0;
    line_ += static_cast<char>(letter);
    if (letter == '\n') {
      std::fputs((tag_ + line_).c_str(), stdout);
      std::fflush(stdout);
      line_.clear();
    }
    return letter;
  }

 private:
  std::string tag_;
  std::string line_;
};

struct totals {
  std::int32_t cases = 0;
  std::int32_t skipped = 0;
};
totals counted;

struct counter : doctest::IReporter {
  explicit counter(doctest::ContextOptions const&) {}
  void report_query(doctest::QueryData const&) override {}
  void test_run_start() override {}
  void test_run_end(doctest::TestRunStats const& stats) override {
    counted.cases = static_cast<std::int32_t>(stats.numTestCasesPassingFilters);
  }
  void test_case_start(doctest::TestCaseData const&) override {}
  void test_case_reenter(doctest::TestCaseData const&) override {}
  void test_case_end(doctest::CurrentTestCaseStats const&) override {}
  void test_case_exception(doctest::TestCaseException const&) override {}
  void subcase_start(doctest::SubcaseSignature const&) override {}
  void subcase_end() override {}
  void log_assert(doctest::AssertData const&) override {}
  void log_message(doctest::MessageData const&) override {}
  void test_case_skipped(doctest::TestCaseData const& data) override {
    if (data.m_skip) ++counted.skipped;
  }
};
REGISTER_LISTENER("counter", 1, counter);

}  // namespace

heddle::mpi::communicator<>& test_world() { return *world; }

int main(int argc, char** argv) {
  heddle::mpi::options const settings{.deadline = std::chrono::seconds{30}, .check = heddle::mpi::check_mode::on};
  return heddle::mpi::run(argc, argv, settings, [&](heddle::mpi::communicator<>& group) {
    world = &group;
    tagged_lines lines{group.rank()};
    std::ostream tagged{&lines};
    doctest::Context context{argc, argv};
    context.setOption("no-colors", true);
    if (group.rank() != 0) {
      context.setCout(&tagged);
      context.setOption("minimal", true);
    }
    bool const failed = context.run() != 0;
    if (context.shouldExit()) return 0;
    std::int32_t const own[] = {failed ? 1 : 0, counted.cases, counted.skipped};
    std::vector<std::int32_t> all(3 * static_cast<std::size_t>(group.size()));
    group.all_gather(own, std::span<std::int32_t>{all});
    int code = 0;
    for (std::size_t rank = 0; rank < all.size() / 3; ++rank) {
      bool const good =
          all[3 * rank] == 0 && all[3 * rank + 1] > 0 && all[3 * rank + 1] == all[1] && all[3 * rank + 2] == 0;
      if (!good) code = 1;
      if (!good && group.rank() == 0) {
        std::printf("rank %zu: %s, %d test cases, %d skipped\n", rank, all[3 * rank] == 0 ? "passed" : "failed",
                    all[3 * rank + 1], all[3 * rank + 2]);
      }
    }
    if (group.rank() == 0) std::printf("%d ranks %s\n", group.size(), code == 0 ? "passed" : "FAILED");
    return code;
  });
}
