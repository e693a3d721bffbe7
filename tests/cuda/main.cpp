// SPDX-License-Identifier: Apache-2.0
// The main of every test program that needs a GPU. Without one that it has code for it says why and exits with CTest's
// code for a skipped test; a run that finds no test case is an error.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <heddle/cuda/device.hpp>

#include "cases_run.hpp"

void check_code_here(int gpu);  // code_here.cu

namespace {

#if defined(HEDDLE_BARE_DOCTEST)
int cases_met() { return doctest::bare::all().met; }
#else
int met = 0;
int cases_met() { return met; }

struct counter : doctest::IReporter {
  explicit counter(doctest::ContextOptions const&) {}
  void report_query(doctest::QueryData const&) override {}
  void test_run_start() override {}
  void test_run_end(doctest::TestRunStats const&) override {}
  void test_case_start(doctest::TestCaseData const&) override { ++met; }
  void test_case_reenter(doctest::TestCaseData const&) override {}
  void test_case_end(doctest::CurrentTestCaseStats const&) override {}
  void test_case_exception(doctest::TestCaseException const&) override {}
  void subcase_start(doctest::SubcaseSignature const&) override {}
  void subcase_end() override {}
  void log_assert(doctest::AssertData const&) override {}
  void log_message(doctest::MessageData const&) override {}
  void test_case_skipped(doctest::TestCaseData const&) override {}
};
REGISTER_LISTENER("counter", 1, counter);
#endif

}  // namespace

int main(int argc, char** argv) {
  constexpr int nothing_found = 3, skipped = 77;
  try {
    heddle::cuda::device const gpu;
    gpu.use();
    std::printf("GPU %d: compute capability %d.%d, %d processors\n", gpu.number(), gpu.capability() / 10,
                gpu.capability() % 10, gpu.processors());
    check_code_here(gpu.number());
  } catch (heddle::error const& problem) {
    std::printf("%s: %s\n", problem.kind() == heddle::error_kind::unsupported ? "skipped" : "failed", problem.what());
    return problem.kind() == heddle::error_kind::unsupported ? skipped : 1;
  }
  doctest::Context context(argc, argv);
  int const result = [&context] {
    running_cases const now;
    return context.run();
  }();
  if (result == 0 && cases_met() == 0) {
    std::printf("no test case was found\n");
    return nothing_found;
  }
  return result;
}
