// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts on a device that does nothing until somebody waits, and whose memory the host cannot touch: what
// comes out has the bits of the host, and who waited is counted.
#include "../support/deferred_trial.hpp"

#include <csignal>
#include <heddle/layer/device_stores.hpp>
#include <sys/wait.h>
#include <unistd.h>

using namespace deferred;

namespace {

constexpr sizes trials[] = {{7, 8, 6, 5, 2}, {1, 16, 4, 3, 3}, {60, 12, 5, 7, 3}, {0, 8, 6, 5, 2}};

}  // namespace

TEST_CASE("the device of these tests: its memory is closed, and nothing is done before somebody waits") {
  deferred_gpu gpu;
  auto* const one = gpu.write(std::vector<float>{1, 2, 3});
  auto* const two = gpu.allocate<float>(3);
  gpu.put([=] { two[0] = one[2]; });
  CHECK(gpu.waits() == 0);
  CHECK(gpu.read(two, 1) == std::vector<float>{3});
  CHECK(gpu.waits() == 1);
  gpu.begin_capture();
  gpu.put([=] { two[0] += 1; });
  CHECK_THROWS_AS(gpu.wait(), std::logic_error);
  gpu.end_capture();
  CHECK(gpu.read(two, 1) == std::vector<float>{3});
  gpu.replay();
  gpu.replay();
  CHECK(gpu.read(two, 1) == std::vector<float>{5});
  pid_t const child = ::fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    _exit(*static_cast<float volatile*>(one) == 1 ? 1 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

TEST_CASE("every row at its rank: nobody waits for a count, forward or backward") {
  for (sizes const& at : trials) {
    check_on_device<mixture<plain_top, by_mask, glu_expert<grouped>, weight_at::origin>>(problem{at}, 0);
    check_on_device<mixture<plain_top, all_gather_dispatcher<>, glu_expert<grouped>, weight_at::output>>(problem{at},
                                                                                                         0);
    check_on_device<mixture<plain_top, by_mask, glu_expert<aligned<4>>, weight_at::origin>>(problem{at}, 0);
  }
}
TEST_CASE("rows that kernels store at their experts: nobody waits either") {
  for (sizes const& at : trials) {
    using direct = direct_dispatcher<ep, etp, on_overflow::report>;
    check_on_device<mixture<plain_top, direct, glu_expert<grouped>, weight_at::origin>>(problem{at}, 0);
    check_replays<mixture<plain_top, direct, glu_expert<grouped>, weight_at::output>>(at, 5);
  }
}
TEST_CASE("exchanges wait once, for their counts; experts one by one read the same") {
  for (sizes const& at : trials) {
    check_on_device<mixture<plain_top, all_to_all_dispatcher<>, glu_expert<grouped>, weight_at::origin>>(problem{at},
                                                                                                         1);
    check_on_device<mixture<plain_top, all_to_all_dispatcher<>, glu_expert<sequential>, weight_at::output>>(problem{at},
                                                                                                            1);
  }
}
TEST_CASE("a captured layer is done again with other tokens") {
  for (sizes const& at : trials) {
    check_replays<mixture<plain_top, by_mask, glu_expert<grouped>, weight_at::origin>>(at, 5);
    check_replays<mixture<plain_top, by_mask, glu_expert<aligned<4>>, weight_at::output>>(at, 5);
  }
}
