// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/token_sums.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

TEST_CASE("sum_over: over every group of a placement, and over none") {
  using dealt = placement<on<etp, sharded<tokens, as_given>>, on<ep, sharded<tokens, as_given>>>;
  in_frames<etp, ep>(mesh<etp, ep>{2, 3}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<index_t> counts{rank, 1};
    detail::sum_over(frame, dealt{}, std::span<index_t>{counts});
    CHECK(counts == std::vector<index_t>{15, 6});
    std::vector<double> sums{rank + 0.5};
    detail::sum_over(frame, placement<>{}, std::span<double>{sums});
    CHECK(sums[0] == rank + 0.5);
  });
}

TEST_CASE("present_tokens: all where there is no mask, and a mask must fit") {
  bool const padding[] = {true, false, true, true};
  support::on_ranks<ep>(mesh<ep>{1}, 1, [&](auto& tools) {
    step_state<> state;
    std::tuple<> const weights;
    frame frame{tools.execution, weights, state};
    CHECK(detail::present_tokens(frame, 7) == 7);
    state.inputs.padding = {padding, extents<tokens>{4}};
    CHECK(detail::present_tokens(frame, 4) == 1);
    CHECK_THROWS_AS(static_cast<void>(detail::present_tokens(frame, 3)), error);
  });
}

namespace {

/// What `present_tokens` sees of a captured step on a device.
struct recording {
  static constexpr bool captures = true;
};
struct far_frame {
  using memory = device_memory;
  routing_inputs<device_memory> inputs{};
  recording on{};
  recording& execution() { return on; }
};

}  // namespace

TEST_CASE("present_tokens: a mask on a device is not read by the host: a captured step refuses it") {
  far_frame frame;
  CHECK(detail::present_tokens(frame, 7) == 7);
  frame.inputs.padding = {reinterpret_cast<bool const*>(std::uintptr_t{64}), extents<tokens>{4}};  // nobody may read it
  try {
    static_cast<void>(detail::present_tokens(frame, 4));
    FAIL("the mask was counted");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::unsupported);
  }
}
