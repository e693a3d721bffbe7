// SPDX-License-Identifier: Apache-2.0
// Experts one by one, and the dispatchers that fetch their counts, on a device that the host cannot look at: with the
// bits of the host, and who waits does so once.
#include "../support/deferred_trial.hpp"

using namespace deferred;

namespace {

constexpr sizes trials[] = {{7, 8, 6, 5, 2}, {60, 12, 5, 7, 3}, {0, 8, 6, 5, 2}};

problem padded(problem of) {
  for (index_t t = 0; t < of.at.height; ++t) of.padding.push_back(t % 4 == 1);
  return of;
}

}  // namespace

TEST_CASE("experts one by one wait once for their rows, forward and backward together") {
  for (sizes const& at : trials)
    check_on_device<mixture<plain_top, by_mask, glu_expert<sequential>, weight_at::output>>(padded(problem{at}), 1);
}
TEST_CASE("copies by expert, and tokens sent once a rank") {
  for (sizes const& at : trials) {
    using copies = all_to_all_dispatcher<ep, etp, aligned_rows<4>>;
    using once = all_to_all_dispatcher<ep, etp, deduplicated>;
    check_on_device<mixture<plain_top, copies, glu_expert<grouped>, weight_at::origin>>(padded(problem{at}), 1);
    check_on_device<mixture<plain_top, once, glu_expert<grouped>, weight_at::output>>(padded(problem{at}), 1);
  }
}
