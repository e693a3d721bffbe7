// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/walk_leading.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

/// Numbers instead of tensors, and a frame that is nothing.
struct no_frame {};
struct mix_back;
/// (a, b) -> 10 a + b, trained: its gradient is written down.
struct mix : operation_base<"mix", ports<placement<>, placement<>>, placement<>, mix_back> {
  static constexpr keep keeps = keep::inputs;
  using parameter = placement<>;
};
struct mix_back : operation_base<"mix_back", placement<>, ports<placement<>, placement<>>, mix> {};

int run(mix, no_frame&, int a, int b) { return 10 * a + b; }
std::pair<int, int> run(mix_back, no_frame&, kept<int, int> const&, int dy) { return {10 * dy, dy}; }
void accumulate(mix, std::vector<int>& sums, kept<int, int> const& saved, int dy) {
  sums.push_back(std::get<0>(saved.values) * dy);
}

using lead = leading<2, 1, sequence<mix>>;

}  // namespace

TEST_CASE("leading at run time: forward, back and for the weights, and who waits is not touched") {
  no_frame frame;
  auto const forward = detail::walk<detail::training, lead>::through(frame, std::tuple{1, 2, 7, 8});
  CHECK(forward.values == std::tuple{12, 7, 8});
  auto const back = detail::walk_back<lead>::through(frame, forward.saved, std::tuple{3, 70, 80});
  CHECK(back.values == std::tuple{30, 3, 70, 80});
  std::vector<int> sums;
  detail::walk_weights<lead>::through(sums, forward.saved, back.pending);
  CHECK(sums == std::vector<int>{3});
  CHECK(detail::walk<detail::inference, lead>::through(frame, std::tuple{1, 2, 7}).values == std::tuple{12, 7});
}
